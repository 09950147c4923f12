package lb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/upstream"
)

// wantedCheck is a health_check line whose location has been compiled.
type wantedCheck struct {
	conf   *config.HealthCheck
	pool   *pool
	way    *proxy.Fetcher // to the peers
	answer health.Answer
}

// matches compiles every match block for its errors, which count also where no
// check uses it.
func (c *compiler) matches(h *config.HTTP) error {
	for _, m := range h.Matches {
		if _, err := health.NewMatch(c.g.table, m); err != nil {
			return err
		}
	}
	return nil
}

// checking notes the health checks of a location, which are made ready when
// everything that has variables is known.
func (c *compiler) checking(l *location, way *proxy.Fetcher) error {
	for i := range l.conf.HealthChecks {
		w := wantedCheck{conf: &l.conf.HealthChecks[i], pool: c.g.zones[l.conf.Proxy.Host], way: way}
		if w.conf.GRPC {
			w.answer = health.GRPCAnswer{Status: w.conf.GRPCStatus}
		} else {
			var err error
			if w.answer, err = health.NewMatch(c.g.table, w.conf.Match); err != nil {
				return err
			}
		}
		c.wanted = append(c.wanted, w)
	}
	return nil
}

// checks makes the health checks ready, those of one upstream together.
func (c *compiler) checks() error {
	plans := map[string]*health.Plan{}
	for i := range c.wanted {
		w := &c.wanted[i]
		check, err := w.check(c)
		if err != nil {
			return w.conf.Pos.Errorf("%v", err)
		}
		name := w.pool.roster.Name()
		if plans[name] == nil {
			plans[name] = &health.Plan{Roster: w.pool.roster}
		}
		plans[name].Checks = append(plans[name].Checks, check)
	}
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		c.g.plans = append(c.g.plans, *plans[name])
	}
	return nil
}

// check makes one health_check ready.
func (w *wantedCheck) check(c *compiler) (*health.Check, error) {
	h := w.conf
	o := proxy.ProbeOptions{Method: "GET", URI: h.URI, Slots: c.g.slots, Fields: [][2]string{{"User-Agent", "weir/" + c.b.options.Version + " (health check)"}}}
	var body []byte
	switch {
	case h.GRPC:
		o.Method, o.URI, body = "POST", health.GRPCPath, health.GRPCBody(h.GRPCService)
		o.Fields = append(o.Fields, [2]string{"Content-Type", "application/grpc"}, [2]string{"TE", "trailers"})
	case h.KeepaliveTime == 0:
		o.Fields = append(o.Fields, [2]string{"Connection", "close"})
	}
	p, err := w.way.Probe(o)
	if err != nil {
		return nil, err
	}
	return &health.Check{
		Key: checkKey(h, p), Name: h.MatchName, Interval: h.Interval, Jitter: h.Jitter, Fails: h.Fails, Passes: h.Passes,
		Local: h.Local, Mandatory: h.Mandatory, Persistent: h.Persistent, Port: h.Port, KeepaliveTime: h.KeepaliveTime,
		Prober: &health.Question{
			Head: p.Head, Body: body, HTTP2: p.HTTP2, Profile: p.Profile, Connect: p.Connect, Send: p.Send, Read: p.Read,
			Limits: p.Limits, Slots: c.g.slots, Keep: h.KeepaliveTime > 0, Answer: w.answer,
		},
	}, nil
}

// checkKey tells checks apart by all that is written about them, but not by
// where.
func checkKey(h *config.HealthCheck, p *proxy.Probe) string {
	var b strings.Builder
	bare := *h
	bare.Pos, bare.Match = config.Pos{}, nil
	fmt.Fprintf(&b, "%+v\n%s%v %q %v %v %v %+v\n", bare, p.Head, p.HTTP2, p.Profile.Key, p.Connect, p.Send, p.Read, p.Limits)
	m := h.Match
	if m == nil {
		return b.String()
	}
	if m.Status != nil {
		fmt.Fprintf(&b, "status %+v\n", *m.Status)
	}
	for _, t := range m.Headers {
		fmt.Fprintf(&b, "header %q %s %q", t.Name, t.Op, t.Value)
		if t.Regex != nil {
			fmt.Fprintf(&b, " %q", t.Regex.Pattern)
		}
		b.WriteByte('\n')
	}
	if m.Body != nil {
		fmt.Fprintf(&b, "body %v %q\n", m.Body.Not, m.Body.Regex.Pattern)
	}
	for _, r := range m.Require {
		fmt.Fprintf(&b, "require %q\n", r.Value)
	}
	return b.String()
}

// unjudged is what holds for servers of which no check has concluded anything.
func unjudged(u *config.Upstream) upstream.Verdict {
	if u.CheckFirst {
		return upstream.VerdictChecking
	}
	return upstream.VerdictUsable
}

// assumeHealthy lets all servers count as checked, where nobody checks them.
func (g *generation) assumeHealthy() {
	for _, p := range g.plans {
		var all []upstream.Judgement
		for _, peer := range p.Roster.Pool().Peers() {
			all = append(all, upstream.Judgement{Peer: peer.PeerID(), Verdict: upstream.VerdictUsable})
		}
		p.Roster.SetVerdicts(all...)
	}
}

// Outlet is what the balancer tells the cluster.
type Outlet interface {
	// Report hears what this node says of a peer: whenever that changes, when
	// requests fail there, and when another node wants to know. It must not
	// wait.
	Report(r health.Report)
	// Learned hears what this node learns of the sessions of a zone, in the
	// order of their last use and upstream.NewsBatch at most. It must not wait,
	// nor keep the list.
	Learned(zone string, list []upstream.LearnedSession)
	// Ask asks the nodes that may know about a session that this one does not.
	// It returns when one of them does, when all have answered, or with ctx.
	Ask(ctx context.Context, zone string, key upstream.SessionKey) (upstream.LearnedSession, bool)
	// AskKey asks other nodes for a sticky key that this one lacks. What they
	// have it passes on by SetKeys before it returns. It reports whether they
	// know that there is no such key; else it returns with ctx at the latest.
	AskKey(ctx context.Context, id uint16) (none bool)
}

// newChecker returns what checks the servers.
func newChecker(o *Options) *health.Checker {
	h := health.Options{Log: o.Log}
	if o.Outlet != nil {
		h.Report = o.Outlet.Report
	}
	return health.NewChecker(h)
}

// Checked returns what the health checks have found about the servers of an
// upstream, in no order; nil where there are none.
func (b *Balancer) Checked(name string) []health.PeerStatus { return b.checker.Status(name) }
