package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/discovery/dnstest"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// TestDuties: one node asks and proposes, one confirms, the others wait to be
// told; without an answer or a leader each helps itself.
func TestDuties(t *testing.T) {
	t.Parallel()
	s := subject{"app", upstream.Question{Host: "app.example"}}
	nodes := []string{"a", "b", "c", "d", "e"}
	first, second := resolvers(s, nodes)
	slices.Reverse(nodes)
	if f2, s2 := resolvers(s, nodes); first == second || f2 != first || s2 != second {
		t.Errorf("%s, %s; in another order %s, %s", first, second, f2, s2)
	}
	for _, self := range nodes {
		for _, c := range []struct{ agreed, forsaken bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
			want := dutyNone
			if !c.agreed || c.forsaken {
				want = dutyAsk | dutyApply
			}
			switch {
			case c.forsaken:
			case self == first:
				want |= dutyAsk | dutyPropose
			case self == second:
				want |= dutyAsk | dutySecond
			}
			if got := dutyOf(self, nodes, s, c.agreed, c.forsaken); got != want {
				t.Errorf("%s of %s, %s; %+v: %b, want %b", self, first, second, c, got, want)
			}
		}
	}
	if f, s := resolvers(s, []string{"a"}); f != "a" || s != "" {
		t.Errorf("alone: %q, %q", f, s)
	}
	shares := map[string]int{}
	for i := range 1000 {
		f, _ := resolvers(subject{"app", upstream.Question{Host: fmt.Sprintf("app%d.example", i)}}, nodes)
		shares[f]++
	}
	for _, id := range nodes {
		if shares[id] < 100 {
			t.Errorf("%v", shares)
		}
	}
}

// TestSameRecords: order and repetition say nothing.
func TestSameRecords(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	one := []discovery.Record{{Addrs: []netip.Addr{a, b}}}
	for _, c := range []struct {
		other []discovery.Record
		same  bool
	}{
		{[]discovery.Record{{Addrs: []netip.Addr{b, a, b}}}, true},
		{[]discovery.Record{{Addrs: []netip.Addr{a}}}, false},
		{[]discovery.Record{{Addrs: []netip.Addr{a, b}, Port: 1}}, false},
		{nil, false},
	} {
		if got := sameRecords(one, c.other); got != c.same {
			t.Errorf("%v: %v", c.other, got)
		}
	}
}

// ownLog is what nodes have agreed on, without nodes.
type ownLog struct {
	state   *consensus.State
	refused int
}

func (a *ownLog) propose(_ context.Context, c consensus.Command) (consensus.Result, error) {
	next, result := a.state.Apply(c, a.state.Index()+1, time.Now())
	if a.state = next; result.Code != consensus.Accepted {
		a.refused++
	}
	return result, nil
}

// newOwnLog is that of two nodes, of which the first is one, on an answer.
func newOwnLog(t *testing.T, one string, s subject, records []discovery.Record) *ownLog {
	t.Helper()
	a := &ownLog{state: &consensus.State{}}
	answer := &consensus.PutAnswer{Question: s.agreed(), Resolver: consensus.NodeID(one), Records: recordsOf(records)}
	changes := []consensus.Change{answer}
	for i, id := range []string{one, strings.Repeat("b", 32)} {
		key := bytes.Repeat([]byte{byte(i)}, ed25519.PublicKeySize)
		changes = append(changes, &consensus.JoinNode{ID: consensus.NodeID(id), Name: id, PublicKey: key, Addr: "10.0.0.1:1", Boot: 1})
	}
	for _, c := range changes {
		if r, err := a.propose(t.Context(), consensus.Command{Change: c}); err != nil || r.Code != consensus.Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	return a
}

// TestMassChange: an answer that takes away much is agreed on only when another
// node was told the same, which is asked before: the log has no entry in vain.
func TestMassChange(t *testing.T) {
	t.Parallel()
	s := subject{"app", upstream.Question{Host: "app.example"}}
	addrs := func(n byte) (list []discovery.Record) {
		for i := range n {
			list = append(list, discovery.Record{Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, i})}})
		}
		return list
	}
	self, other := strings.Repeat("a", 32), strings.Repeat("b", 32)
	for _, c := range []struct {
		name    string
		says    heard
		err     error
		settled bool
	}{
		{"the same", heard{Known: true, Records: addrs(1)}, nil, true},
		{"something else", heard{Known: true}, nil, false},
		{"what it knew before", heard{Known: true, Failing: true, Records: addrs(1)}, nil, false},
		{"nothing", heard{}, nil, false},
		{"not there", heard{}, errors.New("no route"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stderr, agreed := &output{}, newOwnLog(t, self, s, addrs(4))
			council := &council{
				self: self, alive: func() []string { return []string{self, other} }, told: map[subject]bool{},
				log:     errorlog.NewFunc(errorlog.Info, func(_ errorlog.Level, _ uint64, message string) { fmt.Fprintln(stderr, message) }),
				state:   func() *consensus.State { return agreed.state },
				propose: agreed.propose,
				ask: func(_ context.Context, node string, _ []byte) ([]byte, error) {
					if node != other {
						t.Errorf("%s is asked", node)
					}
					body, err := json.Marshal(c.says)
					return body, errors.Join(err, c.err)
				},
			}
			for range 2 {
				if got := council.put(t.Context(), s, discovery.News{Records: addrs(1)}); got != c.settled {
					t.Errorf("settled: %v", got)
				}
			}
			for range 2 {
				if !council.put(t.Context(), s, discovery.News{Records: addrs(5)}) {
					t.Error("what takes nothing away is doubtful")
				}
			}
			if agreed.refused > 0 {
				t.Errorf("%d entries of the log in vain", agreed.refused)
			}
			if n := strings.Count(stderr.String(), "app.example follow its name servers again"); n == 1 == c.settled || n > 1 {
				t.Errorf("the end of it was told %d times", n)
			}
			if n := strings.Count(stderr.String(), "removes more than half of the servers"); n == 1 == c.settled || n > 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// TestForsaken: a node waits ten seconds for a leader before it decides by
// itself, and returns at once.
func TestForsaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		led := true
		c := &council{led: func() bool { return led }, alone: leaderless}
		for _, step := range []struct {
			after time.Duration
			led   bool
			want  bool
		}{{0, false, false}, {leaderless - 1, false, false}, {1, false, true}, {time.Hour, false, true}, {1, true, false}, {time.Hour, true, false}, {leaderless - 1, false, false}, {1, false, true}} {
			time.Sleep(step.after)
			led = step.led
			if got := c.forsaken(); got != step.want {
				t.Errorf("%+v: %v", step, got)
			}
		}
	})
}

// TestWhatIsHeardLapses: what a node heard of a name when it asked last is not
// used when it has to help itself again, since what was agreed on is newer.
func TestWhatIsHeardLapses(t *testing.T) {
	t.Parallel()
	s, own := nameOfApp(), []discovery.Record{{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}
	agreed := []discovery.Record{{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}}}
	f, told := alone(t, s, agreed)
	ns := dnstest.Start(t)
	ns.Host("app.example", 1, "10.0.0.1")
	resolver := &config.Resolver{Servers: []string{ns.Addr}, NoIPv6: true}
	f.follow([]lb.Query{{Upstream: s.upstream, Question: s.question, Resolver: resolver, Timeout: time.Second}})
	holds := func(want []discovery.Record) func() bool {
		return func() bool {
			records, _ := f.inForce(f.subjects[s])
			return sameRecords(records, want)
		}
	}
	eventually(t, "its own answer", holds(own))
	f.council.led = func() bool { return true }
	f.reassign()
	if !holds(agreed)() {
		t.Error("what was agreed on is not in force")
	}
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.ServerFailure})
	f.council.led = func() bool { return false }
	f.reassign()
	told.wait(t, `(2: Server failure) in upstream "app", addresses known: 2`)
	if !holds(agreed)() {
		t.Error("what the node heard before is in force")
	}
}

// TestTroubleIsToldOnce: with how many targets of a service something is wrong
// changes with each of them, and is not told each time.
func TestTroubleIsToldOnce(t *testing.T) {
	t.Parallel()
	s := nameOfApp()
	f, told := alone(t, s, nil)
	known := &followed{query: lb.Query{Upstream: s.upstream, Question: s.question}}
	failed := func(code discovery.Code) error { return &discovery.Error{Code: code} }
	for _, err := range []error{
		failed(discovery.TimedOut), fmt.Errorf("%w, and 3 more", failed(discovery.TimedOut)),
		fmt.Errorf("target one.example: %w", failed(discovery.TimedOut)), failed(discovery.ServerFailure), nil, nil,
	} {
		f.tell(known, discovery.News{Records: []discovery.Record{{}}, Err: err})
	}
	for _, line := range []struct {
		text string
		want int
	}{{"(110: Operation timed out)", 1}, {"(2: Server failure)", 1}, {"could not be resolved", 2}, {"is resolved again", 1}} {
		if n := strings.Count(told.String(), line.text); n != line.want {
			t.Errorf("%q was told %d times:\n%s", line.text, n, told)
		}
	}
}

// alone gives a feed of a node that neither asks nor confirms and sees no leader,
// with what has been agreed on about a name, and its log.
func alone(t *testing.T, s subject, records []discovery.Record) (*feed, *output) {
	t.Helper()
	told := &output{}
	f := newFeed(discovery.New(), errorlog.NewFunc(errorlog.Notice, func(_ errorlog.Level, _ uint64, message string) { fmt.Fprintln(told, message) }))
	var err error
	if f.balancer, err = lb.New(lb.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.close()
		if err := f.balancer.Close(); err != nil {
			t.Error(err)
		}
	})
	a := agreement{state: &consensus.State{}}
	a.make(t, &consensus.PutAnswer{Question: s.agreed(), Records: recordsOf(records)})
	f.council = &council{
		self: "c", alive: func() []string { return []string{"a", "b"} }, state: func() *consensus.State { return a.state },
		led: func() bool { return false }, last: time.Now(), alone: 1, knock: make(chan struct{}, 1), told: map[subject]bool{},
	}
	return f, told
}
