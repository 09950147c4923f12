package gossip

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// seek lets all nodes look for each other, until the story ends.
func (s *simulation) seek() {
	var all []string
	for _, n := range s.nodes {
		all = append(all, n.host.addr.String())
	}
	for _, n := range s.nodes {
		go n.Seek(s.t.Context(), func() []string { return all })
	}
}

// alone reports whether a node sees some number of nodes alive.
func (n *simNode) sees(alive int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.alive == alive
}

// TestPartition: both halves go on; when they meet again, be it soon or late, all know the newest of all.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, lasting := range []time.Duration{25 * time.Second, 10 * time.Minute} {
		t.Run(lasting.String(), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				simulate(t, 5, 1, func(s *simulation) {
					s.seek()
					s.nodes[0].Publish(Report{Key: 1, Status: 1})
					s.pause(time.Second)
					s.net.cut(func(i int) int { return i / 3 })
					s.pause(lasting)
					for _, n := range s.nodes {
						if alive := []int{3, 3, 3, 2, 2}[n.i]; !n.sees(alive) {
							t.Errorf("node %d does not see %d alive", n.i, alive)
						}
					}
					s.nodes[0].Publish(Report{Key: 1, Status: 3})
					s.nodes[4].Publish(Report{Key: 2, Status: 3})
					s.pause(time.Second)
					if s.nodes[4].has(idOf(0), 1, 3) || !s.nodes[1].has(idOf(0), 1, 3) || !s.nodes[3].has(idOf(4), 2, 3) {
						t.Error("reports do not stay within the halves")
					}
					s.net.cut(func(int) int { return 0 })
					s.await("everyone is back", time.Minute, func(n *simNode) bool { return n.sees(5) })
					s.await("everyone knows all", 3*time.Second, func(n *simNode) bool {
						return (n.i == 0 || n.has(idOf(0), 1, 3)) && (n.i == 4 || n.has(idOf(4), 2, 3))
					})
				})
			})
		})
	}
}

// TestRestart: what a node says in a new run replaces all of the run before, also if it was not missed meanwhile.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{0, time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				simulate(t, 3, 1, func(s *simulation) {
					s.nodes[1].Publish(Report{Key: 1, Status: 3})
					s.nodes[1].Publish(Report{Key: 2, Status: 3})
					s.pause(time.Second)
					s.nodes[1].Close()
					s.pause(away)
					n := s.begin(1, 2)
					if _, err := n.Join(t.Context(), []string{s.nodes[0].host.addr.String()}); err != nil {
						t.Fatal(err)
					}
					n.Publish(Report{Key: 1, Status: 1})
					s.await("the new run is heard", 5*time.Second, func(n *simNode) bool {
						return n.i == 1 || n.has(idOf(1), 1, 1)
					})
					s.pause(3 * time.Second)
					for _, n := range s.nodes {
						want := "run 2 up to 1: 1=" + string(Report{Status: 1}.entry().value) + "@1"
						if got := wordsOf(n.table, nodeID{15: 2}); got != want {
							t.Errorf("node %d: %q, want %q", n.i, got, want)
						}
						if m := n.Members()[1]; m.Boot != 2 || !m.Alive || n.Stats().Replayed != 0 || len(n.told("data folder")) != 0 {
							t.Errorf("node %d: %+v\n%v", n.i, m, n.told(""))
						}
					}
				})
			})
		})
	}
}

// TestRolledBack: a node whose data folder was put back says so by its run; it is heard all the same.
func TestRolledBack(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 2, 1, func(s *simulation) {
			s.nodes[1].Close()
			n := s.begin(1, 7)
			join := func() {
				if _, err := n.Join(t.Context(), []string{s.nodes[0].addr}); err != nil {
					t.Fatal(err)
				}
				n.Publish(Report{Key: 1, Status: uint8(n.o.Meta.Boot % 4)})
				s.pause(3 * time.Second)
			}
			join()
			n.Close()
			n = s.begin(1, 5)
			join()
			if a := s.nodes[0]; !a.has(idOf(1), 1, 1) || len(a.told("data folder")) != 1 {
				t.Errorf("%+v\n%v", a.reports, a.told(""))
			}
		})
	})
}

// TestWithoutPackets: where only streams get through, everyone stays a member and hears all, somewhat later, and the log
// says so once.
func TestWithoutPackets(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 5, 1, func(s *simulation) {
			s.net.lose(1)
			s.pause(20 * time.Second)
			v := s.verdicts(20)
			v.within(t, "one verdict by streams", 300*time.Millisecond, 3*time.Second)
			for _, n := range s.nodes {
				if !n.sees(5) || len(n.told("is UDP let through?")) != 1 || n.Stats().LostPackets == 0 {
					t.Errorf("node %d: %+v\n%s", n.i, n.Stats(), strings.Join(n.told(""), "\n"))
				}
			}
		})
	})
}

// TestKeyRotation: while keys change, node by node, nobody is lost; afterwards the old key opens nothing.
func TestKeyRotation(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 5, 1, func(s *simulation) {
			steps := []func(*simNode) error{
				func(n *simNode) error { return n.InstallKey(keyOf(2)) },
				func(n *simNode) error { return n.UseKey(keyOf(2)) },
				func(n *simNode) error { return n.RemoveKey(keyOf(1)) },
			}
			for _, step := range steps {
				for _, n := range s.nodes {
					if err := step(n); err != nil {
						t.Fatal(err)
					}
					s.pause(time.Second)
					s.oneVerdict()
				}
			}
			for _, n := range s.nodes {
				if !n.sees(5) || n.Stats().Strangers != 0 {
					t.Errorf("node %d: %+v", n.i, n.Stats())
				}
			}
			late := s.start(9, 9, 1) // it still has the first key
			defer late.Close()
			if _, err := late.Join(t.Context(), []string{s.nodes[0].addr}); err == nil || s.nodes[0].Stats().Strangers == 0 {
				t.Errorf("the old key still opens: %v", err)
			}
			if s.nodes[0].InstallKey([]byte("short")) == nil || s.nodes[0].RemoveKey(keyOf(2)) == nil || s.nodes[0].UseKey(keyOf(3)) == nil {
				t.Error("bad keys are taken")
			}
		})
	})
}

// TestSessionsOfTheDead: what waits for a member that died is sent to its next run, if that comes soon, and else counted
// as dropped. There is a bound to what waits.
func TestSessionsOfTheDead(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 3, 1, func(s *simulation) {
			a := s.nodes[0]
			to := []string{idOf(1), idOf(2)}
			s.net.cut(func(i int) int { return i })
			if err := a.SendSessions(to, "cart", []Session{{Server: 1}}); err != nil {
				t.Fatal(err)
			}
			many := make([]Session, 101_000)
			if err := a.SendSessions(to, "cart", many); err != nil {
				t.Fatal(err)
			}
			if err := a.SendSessions(to, "cart", many); err == nil || !strings.Contains(err.Error(), idOf(1)) || a.Stats().SessionDrop == 0 {
				t.Errorf("no end to what waits: %v", err)
			}
			if got := a.Stats(); got.SessionWait != 2*101_001 || got.SessionSent != 0 {
				t.Errorf("%d sessions wait, %d were sent", got.SessionWait, got.SessionSent)
			}
			before := a.Stats().SessionDrop
			s.nodes[1].Close()
			s.pause(20 * time.Second)
			s.net.cut(func(int) int { return 0 })
			n := s.begin(1, 2)
			if _, err := n.Join(t.Context(), []string{a.addr}); err != nil {
				t.Fatal(err)
			}
			s.await("sessions come", 5*time.Second, func(n *simNode) bool {
				n.mu.Lock()
				defer n.mu.Unlock()
				return n.i != 1 || len(n.sessions["cart"]) > 100_000
			})
			s.nodes[2].Close()
			s.pause(2 * keptForDead)
			a.Gossip.mu.Lock()
			couriers := len(a.couriers)
			a.Gossip.mu.Unlock()
			got := a.Stats()
			if got.SessionDrop < before+100_000 || couriers != 1 {
				t.Errorf("%d dropped, then %d; %d couriers", before, got.SessionDrop, couriers)
			}
			if got.SessionWait != 0 || got.SessionSent < 101_001 {
				t.Errorf("%d sessions wait, %d were sent", got.SessionWait, got.SessionSent)
			}
		})
	})
}

// TestSlowListener: a callback that takes long holds up nobody but itself, and hears the newest in the end.
func TestSlowListener(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		s := &simulation{t: t, net: newNetwork(1), nodes: make([]*simNode, 2)}
		defer s.end()
		var mu sync.Mutex
		calls, last := 0, map[uint64]uint8{}
		s.change = func(o *Options) {
			if o.ID == idOf(1) {
				o.OnReports = func(list []Report) {
					mu.Lock()
					calls++
					for _, r := range list {
						last[r.Key] = r.Status
					}
					mu.Unlock()
					s.pause(10 * time.Second)
				}
			}
		}
		a, b := s.begin(0, 1), s.begin(1, 1)
		if _, err := b.Join(t.Context(), []string{a.addr}); err != nil {
			t.Fatal(err)
		}
		s.pause(time.Second)
		for round := range uint8(4) {
			for key := range uint64(100) {
				a.Publish(Report{Key: key, Status: round})
			}
			s.pause(2 * time.Second)
		}
		s.pause(30 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		wrong := 0
		for _, status := range last {
			if status != 3 {
				wrong++
			}
		}
		if calls > 4 || len(last) != 100 || wrong > 0 || !a.Members()[1].Alive {
			t.Errorf("%d calls, %d reports, %d of them old", calls, len(last), wrong)
		}
	})
}

// TestTargets: names, addresses and what is neither.
func TestTargets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"127.0.0.1":           "[127.0.0.1:7946]",
		"127.0.0.1:9":         "[127.0.0.1:9]",
		"::1":                 "[[::1]:7946]",
		"[::1]:9":             "[[::1]:9]",
		"127.0.0.1:http":      "",
		"127.0.0.1:70000":     "",
		"_weir._tcp.invalid.": "",
	} {
		got, err := resolve(t.Context(), target)
		if want == "" && err == nil || want != "" && fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %s", target, got, err, want)
		}
	}
}

// TestOptions: what cannot work is refused at once.
func TestOptions(t *testing.T) {
	t.Parallel()
	for words, spoil := range map[string]func(*Options){
		"32 digits":           func(o *Options) { o.ID = "lb1" },
		"invalid byte":        func(o *Options) { o.ID = strings.Repeat("x", 32) },
		"name of the cluster": func(o *Options) { o.Cluster = "" },
		"no key":              func(o *Options) { o.Keys = nil },
		"16 bytes, not 32":    func(o *Options) { o.Keys = [][]byte{make([]byte, 16)} },
		"number of the run":   func(o *Options) { o.Meta.Boot = 0 },
		"no log":              func(o *Options) { o.Log = nil },
	} {
		h := newNetwork(1).connect(0)
		o := Options{ID: idOf(0), Cluster: "shop", Keys: [][]byte{keyOf(1)}, Meta: Meta{Boot: 1}, Transport: h, Log: func(string, string) {}}
		spoil(&o)
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	n := startOn(t, 0, nil)
	if n.Put(kindReport, 1, nil) == nil || n.Put(KindOwn, 1, make([]byte, ValueLimit+1)) == nil {
		t.Error("anything can be put")
	}
}
