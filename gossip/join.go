package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultPort is that of membership, where a target names none.
const DefaultPort = 7946

// Join contacts nodes and takes over what they know, so that soon everyone knows everyone. A target is an address or a
// name, each with a port or without, or the name of SRV records, which begins with an underscore. It returns how many
// nodes answered, and an error if none did; then it may be tried again.
// It does all at once, so that one that does not answer holds up no other.
func (g *Gossip) Join(ctx context.Context, targets []string) (answered int, err error) {
	type result struct {
		n   int
		err error
	}
	results := make(chan result, len(targets))
	for _, target := range targets {
		go func() {
			n, err := g.join(ctx, target)
			results <- result{n, err}
		}()
	}
	for range targets {
		select {
		case r := <-results:
			answered, err = answered+r.n, errors.Join(err, r.err)
		case <-ctx.Done():
			return answered, errors.Join(err, ctx.Err())
		}
	}
	if answered > 0 {
		return answered, nil
	}
	return 0, err
}

// join contacts all nodes behind one target.
func (g *Gossip) join(ctx context.Context, target string) (answered int, err error) {
	addrs, err := resolve(ctx, target)
	for _, addr := range addrs {
		if addr == g.Addr() || ctx.Err() != nil {
			continue
		}
		n, bad := g.list.Join([]string{addr})
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %s", addr, plain(bad, addr)))
		}
		answered += n
	}
	return answered, err
}

// resolve finds the addresses of a target.
func resolve(ctx context.Context, target string) ([]string, error) {
	if strings.HasPrefix(target, "_") {
		_, records, err := net.DefaultResolver.LookupSRV(ctx, "", "", target)
		if err != nil {
			return nil, fmt.Errorf("joining %s: %w", target, err)
		}
		var all []string
		for _, r := range records {
			addrs, err := resolve(ctx, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
			if err != nil {
				return all, err
			}
			all = append(all, addrs...)
		}
		return all, nil
	}
	host, port, err := hostPort(target, DefaultPort)
	if err != nil {
		return nil, fmt.Errorf("joining: %w", err)
	}
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", target, err)
	}
	for i, h := range hosts {
		hosts[i] = net.JoinHostPort(h, strconv.Itoa(int(port)))
	}
	return hosts, nil
}

const (
	seekFirst = 250 * time.Millisecond
	seekLast  = 10 * time.Second
	seekTell  = 5 * time.Second  // nodes that are started together find each other sooner, and nobody need be told
	seekAgain = 30 * time.Second // even when in company: the other half of a cluster that was cut in two is out there
)

// Seek joins the targets again and again, until ctx ends or Close: soon as long as this node is alone, later now and
// then those that are not members, so that the halves of a cluster that was cut for long find each other. targets is
// asked each time. It waits until then.
func (g *Gossip) Seek(ctx context.Context, targets func() []string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	wait, company := seekFirst, time.Now()
	for ctx.Err() == nil {
		if missing := g.missing(targets()); len(missing) > 0 {
			limit, done := context.WithTimeout(ctx, seekLast)
			_, err := g.Join(limit, missing)
			done()
			if err != nil && len(g.roll.others()) == 0 && time.Since(company) > seekTell {
				g.journal.tell("warn", "alone", "gossip: no other node is found, the search goes on: "+strings.ReplaceAll(err.Error(), "\n", "; "))
			}
		}
		pause := wait
		if len(g.roll.others()) > 0 {
			pause, wait, company = seekAgain, seekFirst, time.Now()
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
		}
		wait = min(2*wait, seekLast)
	}
}

// missing lists the targets that are not addresses of members that are alive.
func (g *Gossip) missing(targets []string) []string {
	var known []string
	for _, m := range g.roll.all() {
		if m.Alive {
			known = append(known, m.Addr)
		}
	}
	return slices.DeleteFunc(slices.Clone(targets), func(t string) bool { return slices.Contains(known, t) })
}

// plain gives what an error of the library says beyond the address that was joined, in one line.
func plain(err error, addr string) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, reason, ok := strings.Cut(text, "failed to join "+addr+": "); ok {
		text = reason
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "dial tcp "+addr+": "), "connect: ")
	switch {
	// Where it hangs up before all has come that was sent, the system says so in other words.
	case text == "EOF", strings.HasSuffix(text, "connection reset by peer"), strings.HasSuffix(text, "broken pipe"):
		return "it hung up, as nodes of other clusters do"
	case text == "no installed keys could decrypt the message":
		return "it uses other keys"
	}
	return text
}
