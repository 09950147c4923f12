package health

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// story is a checker on fake time, whose peers do as they are told.
type story struct {
	t       *testing.T
	start   time.Time
	checker *Checker
	table   upstream.Table

	mu      sync.Mutex
	ill     map[string]bool // by address
	slow    time.Duration   // what a probe takes
	probes  []string        // "seconds address", since the last look
	log     []string
	reports []string
	running int
	most    int
}

// Probe implements Prober.
func (s *story) Probe(ctx context.Context, p *Place) Finding {
	s.mu.Lock()
	s.probes = append(s.probes, fmt.Sprintf("%g %s", time.Since(s.start).Seconds(), p.peer.Text))
	s.running++
	s.most = max(s.most, s.running)
	slow := s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.ill[p.peer.Text] {
		return Finding{Reason: ReasonStatus, Detail: "500"}
	}
	return Finding{}
}

// tell runs a story.
func tell(t *testing.T, act func(*story)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &story{t: t, start: time.Now(), ill: map[string]bool{}}
		s.table.Now = func() int64 { return int64(time.Since(s.start)) }
		s.checker = NewChecker(Options{
			Log: errorlog.NewFunc(errorlog.Info, func(l errorlog.Level, _ uint64, text string) { s.log = append(s.log, l.String()+": "+text) }),
			Report: func(r Report) {
				s.reports = append(s.reports, fmt.Sprintf("%s %s %s", r.Peer.Addr, r.Status, r.Reason))
			},
		})
		act(s)
		s.checker.Close()
	})
}

// serve puts a configuration in force: the last numbers of the servers'
// addresses, and the checks.
func (s *story) serve(servers string, checks ...*Check) {
	s.t.Helper()
	cfg := upstream.Config{Name: "u", AllowEmpty: true}
	for n := range strings.FieldsSeq(servers) {
		addr := netip.MustParseAddrPort("10.0.0." + n + ":80")
		cfg.Servers = append(cfg.Servers, upstream.Server{Name: addr.String(), Weight: 1, MaxFails: 1, Addrs: []upstream.Addr{{AddrPort: addr}}})
	}
	for _, c := range checks {
		if c.Prober = s; c.Mandatory {
			cfg.Unjudged = upstream.VerdictChecking
		}
	}
	change, err := s.table.Prepare(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.table.Commit([]*upstream.Change{change}); err != nil {
		s.t.Fatal(err)
	}
	if len(checks) == 0 {
		s.checker.Apply(nil)
		return
	}
	s.checker.Apply([]Plan{{Roster: s.table.Find("u"), Checks: checks}})
}

// states are the states of the peers now.
func (s *story) states() string {
	synctest.Wait()
	var words []string
	for _, p := range s.table.Find("u").Pool().Status(0).Peers {
		words = append(words, p.State.String())
	}
	return strings.Join(words, " ")
}

func (s *story) expect(states string) {
	s.t.Helper()
	if got := s.states(); got != states {
		s.t.Errorf("after %s: %s, want %s", time.Since(s.start), got, states)
	}
}

func (s *story) health(n string, ill bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill["10.0.0."+n+":80"] = ill
}

// takes sets how long a probe takes.
func (s *story) takes(slow time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = slow
}

// probed compares the probes since the last look; times in seconds.
func (s *story) probed(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range want {
		at, n, _ := strings.Cut(want[i], " ")
		want[i] = at + " 10.0.0." + n + ":80"
	}
	if !slices.Equal(s.probes, want) {
		s.t.Errorf("probes %q, want %q", s.probes, want)
	}
	s.probes = nil
}

func check(change func(*Check)) *Check {
	c := &Check{Key: "k", Name: "m", Interval: 5 * time.Second, Fails: 1, Passes: 1}
	if change != nil {
		change(c)
	}
	return c
}

func TestCheckerInterval(t *testing.T) {
	tell(t, func(s *story) {
		s.serve("1", check(nil))
		time.Sleep(12 * time.Second)
		s.probed("0 1", "5 1", "10 1")
		s.expect("up")
		if len(s.log) != 0 {
			t.Errorf("a peer that is well is in the log: %q", s.log)
		}
	})
}

// While a status is changing, probes come faster; when it has changed, they
// do not.
func TestCheckerFasterWhileChanging(t *testing.T) {
	tell(t, func(s *story) {
		s.serve("1", check(func(c *Check) { c.Fails, c.Passes = 3, 2 }))
		time.Sleep(4 * time.Second)
		s.probed("0 1", "1 1")
		s.health("1", true)
		time.Sleep(3500 * time.Millisecond) // 7.5
		s.expect("up")
		s.probed("6 1", "7 1")
		time.Sleep(time.Second)
		s.expect("unhealthy")
		time.Sleep(4600 * time.Millisecond) // 13.1
		s.probed("8 1", "13 1")
		s.health("1", false)
		time.Sleep(5 * time.Second) // 18.1
		s.expect("unhealthy")
		time.Sleep(time.Second)
		s.expect("up")
		s.probed("18 1", "19 1")
		want := []string{
			`error: peer is unhealthy (status: 500), health check "m" of peer 10.0.0.1:80 in upstream "u"`,
			`notice: peer is healthy, health check "m" of peer 10.0.0.1:80 in upstream "u"`,
		}
		if !slices.Equal(s.log, want) {
			t.Errorf("log %q", s.log)
		}
		if got, want := strings.Join(s.reports, "; "), "10.0.0.1:80 up none; 10.0.0.1:80 suspect status; 10.0.0.1:80 down status; 10.0.0.1:80 up none"; got != want {
			t.Errorf("reports %s, want %s", got, want)
		}
	})
}

func TestCheckerFastBounds(t *testing.T) {
	tell(t, func(s *story) {
		s.health("1", true)
		s.serve("1", check(func(c *Check) { c.Interval, c.Fails = 300*time.Millisecond, 3 }))
		time.Sleep(250 * time.Millisecond)
		s.probed("0 1", "0.1 1", "0.2 1")
		s.serve("1", check(func(c *Check) { c.Key, c.Interval, c.Fails = "slow", time.Hour, 2 }))
		time.Sleep(2 * time.Second)
		s.probed("0.25 1", "1.25 1")
	})
}

// Each probe of many comes at another time, the first ones as soon as may be.
func TestCheckerSpreads(t *testing.T) {
	tell(t, func(s *story) {
		var servers []string
		for i := range 200 {
			servers = append(servers, fmt.Sprint(i+1))
		}
		s.serve(strings.Join(servers, " "), check(nil))
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		s.mu.Lock()
		if n := len(s.probes); n < 200 || n > 210 {
			t.Errorf("%d probes at once", n)
		}
		s.probes = nil
		s.mu.Unlock()
		time.Sleep(10 * time.Second) // the first probes were together, the second ones find their places
		s.mu.Lock()
		s.probes = nil
		s.mu.Unlock()
		time.Sleep(5 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		perStroke := map[int]int{}
		for _, p := range s.probes {
			var at float64
			var who string
			fmt.Sscan(p, &at, &who)
			if perStroke[int(at*4)]++; at*4 != float64(int(at*4)) {
				t.Errorf("a probe that is not urgent leaves at %g", at)
			}
		}
		for at, n := range perStroke {
			if n > 14 { // 10 would be even
				t.Errorf("%d probes in a quarter of a second, at %d", n, at)
			}
		}
		if n := len(s.probes); n < 198 || n > 202 {
			t.Errorf("%d probes in an interval", n)
		}
	})
}

func TestCheckerJitter(t *testing.T) {
	tell(t, func(s *story) {
		s.serve("1", check(func(c *Check) { c.Jitter = 2 * time.Second }))
		time.Sleep(1000 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		last, low, high := 0.0, 10.0, 0.0
		for i, p := range s.probes {
			var at float64
			fmt.Sscan(p, &at)
			if i > 0 {
				low, high = min(low, at-last), max(high, at-last)
			}
			last = at
		}
		if low < 5 || low > 5.5 || high > 7 || high < 6.5 {
			t.Errorf("between two probes are %gs to %gs, want 5 to 7", low, high)
		}
	})
}

// One probe at a time, and no next one before it is back.
func TestCheckerSlowPeer(t *testing.T) {
	tell(t, func(s *story) {
		s.takes(12 * time.Second)
		s.serve("1", check(nil))
		time.Sleep(30 * time.Second)
		s.probed("0 1", "12 1", "24 1")
		if s.most != 1 {
			t.Errorf("%d probes of one peer at a time", s.most)
		}
	})
}

func TestCheckerMandatory(t *testing.T) {
	tell(t, func(s *story) {
		mandatory := func() *Check { return check(func(c *Check) { c.Mandatory, c.Passes = true, 2 }) }
		s.health("2", true)
		s.serve("1 2", mandatory())
		time.Sleep(time.Millisecond)
		s.expect("checking unhealthy")
		time.Sleep(1500 * time.Millisecond)
		s.expect("up unhealthy")
		s.serve("1 2 3", mandatory()) // one more
		s.expect("up unhealthy checking")
		time.Sleep(1500 * time.Millisecond)
		s.expect("up unhealthy up")
	})
}

// A reload keeps what equal checks have found. Another check begins anew,
// unless it is persistent.
func TestCheckerReload(t *testing.T) {
	tell(t, func(s *story) {
		with := func(key string, persistent bool) *Check {
			return check(func(c *Check) { c.Key, c.Mandatory, c.Persistent, c.Passes = key, true, persistent, 2 })
		}
		s.health("2", true)
		s.serve("1 2", with("a", false))
		time.Sleep(1500 * time.Millisecond)
		s.expect("up unhealthy")
		s.probed("0 1", "0.001 2", "1 1")
		s.serve("1 2", with("a", false))
		s.expect("up unhealthy")
		s.probed() // nothing is due
		s.takes(time.Second)
		s.serve("1 2", with("b", false))
		s.expect("checking checking")
		s.takes(0)
		time.Sleep(3 * time.Second)
		s.expect("up unhealthy")
		s.takes(time.Second)
		s.serve("1 2", with("c", true))
		s.expect("up checking")
		time.Sleep(3 * time.Second)
		s.expect("up unhealthy")
		s.serve("1 2")
		s.expect("up up")
		s.mu.Lock()
		s.probes = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		s.probed()
	})
}

// One failing check of several is enough, and its recovery alone is not.
func TestCheckerSeveralChecks(t *testing.T) {
	tell(t, func(s *story) {
		s.health("1", true)
		s.serve("1", check(nil), check(func(c *Check) { c.Key, c.Fails = "b", 2 }))
		s.expect("unhealthy")
		time.Sleep(4 * time.Second)
		s.health("1", false)
		time.Sleep(1500 * time.Millisecond)
		s.expect("unhealthy") // the second check has not looked yet
		time.Sleep(5 * time.Second)
		s.expect("up")
		if len(s.log) != 2 {
			t.Errorf("log %q", s.log)
		}
		for _, st := range s.checker.Status("u") {
			if st.Counts.Checks < 5 || st.Counts.Unhealthy != 2 || !st.Counts.Passed || st.Verdict != upstream.VerdictUsable {
				t.Errorf("status %+v", st)
			}
		}
	})
}

// Peers that name servers bring are checked as those of the file, and those
// that go are not any more.
func TestCheckerFoundPeers(t *testing.T) {
	tell(t, func(s *story) {
		q := upstream.Question{Host: "app"}
		cfg := upstream.Config{Name: "u", AllowEmpty: true, Servers: []upstream.Server{{Name: "app", Weight: 1, Question: q, Port: 80}}}
		change, err := s.table.Prepare(cfg)
		if err == nil {
			err = s.table.Commit([]*upstream.Change{change})
		}
		if err != nil {
			t.Fatal(err)
		}
		c := check(nil)
		c.Prober = s
		r := s.table.Find("u")
		s.checker.Apply([]Plan{{Roster: r, Checks: []*Check{c}}})
		answer := func(addrs ...string) {
			var a upstream.Answer
			a.Records = []upstream.Record{{}}
			for _, addr := range addrs {
				a.Records[0].Addrs = append(a.Records[0].Addrs, netip.MustParseAddr(addr))
			}
			if err := r.SetAnswer(q, a); err != nil {
				t.Error(err)
			}
		}
		s.health("2", true)
		answer("10.0.0.1", "10.0.0.2")
		s.expect("up up") // the second one is a millisecond later
		time.Sleep(time.Millisecond)
		s.expect("up unhealthy")
		s.probed("0 1", "0.001 2")
		answer("10.0.0.2", "10.0.0.3")
		s.expect("unhealthy up")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		if all := strings.Join(s.probes, ","); strings.Contains(all, "10.0.0.1:") || !strings.Contains(all, "10.0.0.3:") {
			t.Errorf("probes %s", all)
		}
		s.mu.Unlock()
	})
}
