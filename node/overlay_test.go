package node

import (
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

func addition(name, server string) *consensus.AddServer {
	s := consensus.Server{Name: server, Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second}
	return &consensus.AddServer{Target: consensus.Target{Upstream: name, ID: serverID(name, &s)}, Server: s}
}

// TestOverlayOfState: only what has changed is translated anew, and nothing is
// told where nothing has.
func TestOverlayOfState(t *testing.T) {
	t.Parallel()
	a := agreement{state: &consensus.State{}}
	var o overlays
	step := func(wantChanged bool) upstream.Overlay {
		t.Helper()
		next, changed, err := o.overlay(a.state)
		if err != nil || changed != wantChanged {
			t.Errorf("changed %t, %v", changed, err)
		}
		return next
	}
	if first := step(true); first.Index != 1 || len(first.Upstreams) != 0 {
		t.Errorf("%+v", first)
	}
	step(false)
	a.make(t, addition("u", "10.0.0.1:80"))
	a.make(t, addition("v", "10.0.0.1:80"))
	two := step(true)
	a.make(t, &consensus.CreateKey{ID: 1, Secret: make(consensus.Secret, 32)})
	step(false)
	a.make(t, addition("v", "10.0.0.2:80"))
	three := step(true)
	if &two.Upstreams["u"].Added[0] != &three.Upstreams["u"].Added[0] || len(three.Upstreams["v"].Added) != 2 || three.Index <= two.Index {
		t.Errorf("%+v", three)
	}
	a.make(t, &consensus.RemoveServer{Target: addition("u", "10.0.0.1:80").Target})
	if last := step(true); len(last.Upstreams) != 1 {
		t.Errorf("%+v", last)
	}
	a = agreement{state: &consensus.State{}} // a cluster formed anew
	if again := step(true); again.Index <= three.Index {
		t.Errorf("index %d after %d", again.Index, three.Index)
	}
}

// TestOverlayReuses: of many servers that were added those that are the same are
// not translated anew, and all are in the order of their age.
func TestOverlayReuses(t *testing.T) {
	t.Parallel()
	a := agreement{state: &consensus.State{}}
	var o overlays
	step := func() (list []string, added []upstream.Addition) {
		t.Helper()
		next, _, err := o.overlay(a.state)
		if err != nil {
			t.Error(err)
		}
		added = next.Upstreams["u"].Added
		for i := range added {
			list = append(list, fmt.Sprintf("%s=%d", added[i].Server.Name, added[i].Server.Weight))
		}
		return list, added
	}
	for _, n := range []int{5, 1, 4, 2, 3} {
		a.make(t, addition("u", fmt.Sprintf("10.0.0.%d:80", n)))
	}
	_, before := step()
	a.make(t, &consensus.RemoveServer{Target: addition("u", "10.0.0.4:80").Target})
	heavy := 7
	a.make(t, &consensus.EditServer{Target: addition("u", "10.0.0.2:80").Target, Edit: consensus.Edit{Weight: &heavy}})
	a.make(t, addition("u", "10.0.0.6:80"))
	got, after := step()
	if want := "[10.0.0.5:80=1 10.0.0.1:80=1 10.0.0.2:80=7 10.0.0.3:80=1 10.0.0.6:80=1]"; fmt.Sprint(got) != want {
		t.Errorf("%v, not %s", got, want)
	}
	same := func(a, b int) bool { return &before[a].Server.Addrs[0] == &after[b].Server.Addrs[0] }
	if !same(0, 0) || !same(1, 1) || same(3, 2) || !same(4, 3) {
		t.Error("what is the same is translated anew, or what is not is taken for the same")
	}
	a.make(t, &consensus.RaiseEpoch{To: 3}) // another log may stand behind the same indexes
	if _, anew := step(); &anew[0].Server.Addrs[0] == &after[0].Server.Addrs[0] {
		t.Error("what was agreed on in another log is taken over")
	}
}

// TestOverlayOfUnknownAddress: what another version has agreed on is left out,
// and said.
func TestOverlayOfUnknownAddress(t *testing.T) {
	t.Parallel()
	a := agreement{state: &consensus.State{}}
	a.make(t, &consensus.Batch{addition("u", "10.0.0.1:99999"), addition("u", "10.0.0.2:80")})
	next, _, err := new(overlays).overlay(a.state)
	if err == nil || !strings.Contains(err.Error(), `server "10.0.0.1:99999" that was added to upstream "u": invalid port`) {
		t.Error(err)
	}
	if added := next.Upstreams["u"].Added; len(added) != 1 || added[0].Server.Name != "10.0.0.2:80" {
		t.Errorf("%+v", added)
	}
}

// TestAnswersOfState tells each answer once.
func TestAnswersOfState(t *testing.T) {
	t.Parallel()
	a := agreement{state: &consensus.State{}}
	var o overlays
	put := func(host, service string, r ...consensus.Record) {
		a.make(t, &consensus.PutAnswer{Question: consensus.Question{Upstream: "u", Host: host, Service: service}, Records: r})
	}
	one := netip.MustParseAddr("10.0.0.1")
	put("a.example", "", consensus.Record{Addrs: []netip.Addr{one}})
	put("b.example", "http", consensus.Record{Target: "t", Port: 81, Priority: 1, Weight: 2, Addrs: []netip.Addr{one}})
	want := []agreedAnswer{
		{subject{"u", upstream.Question{Host: "a.example"}}, upstream.Answer{Records: []upstream.Record{{Addrs: []netip.Addr{one}}}}},
		{subject{"u", upstream.Question{Host: "b.example", Service: "http"}}, upstream.Answer{Records: []upstream.Record{{Target: "t", Port: 81, Priority: 1, Weight: 2, Addrs: []netip.Addr{one}}}}},
	}
	if got := o.news(a.state); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	put("a.example", "", consensus.Record{Addrs: []netip.Addr{one}})
	if got := o.news(a.state); len(got) != 0 {
		t.Errorf("said again: %+v", got)
	}
	put("a.example", "")
	if got := o.news(a.state); len(got) != 1 || len(got[0].answer.Records) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestManyAgreedServers: ten thousand servers in a hundred upstreams take little
// memory, and a change of one little time.
func TestManyAgreedServers(t *testing.T) {
	a := agreement{state: &consensus.State{}}
	before := heapInUse()
	for u := range 100 {
		batch := &consensus.Batch{}
		for s := range 100 {
			*batch = append(*batch, addition(fmt.Sprint("u", u), fmt.Sprintf("10.0.%d.%d:80", u, s)))
		}
		a.make(t, batch)
	}
	var o overlays
	if _, _, err := o.overlay(a.state); err != nil {
		t.Fatal(err)
	}
	if took := heapInUse() - before; took > 30<<20 {
		t.Errorf("%d MB", took>>20)
	}
	a.make(t, addition("u7", "10.9.9.9:80"))
	if n := testing.AllocsPerRun(1, func() {
		if _, changed, err := o.overlay(a.state); !changed || err != nil {
			t.Error("nothing changed", err)
		}
		delete(o.edits, "u7") // once more
	}); n > 2000 {
		t.Errorf("%v allocations for one of 10,000 servers", n)
	}
	runtime.KeepAlive(a)
}

// TestOneOfManyServersCostsLittle: to add a server to ten thousand of one upstream,
// and to change or remove one, allocates nothing for each of the others.
func TestOneOfManyServersCostsLittle(t *testing.T) {
	const many, most = 10_000, 200
	name := func(n int) string { return fmt.Sprintf("10.0.%d.%d:80", n>>8, n&255) }
	a := agreement{state: &consensus.State{}}
	batch := &consensus.Batch{}
	for n := range many {
		if *batch = append(*batch, addition("u", name(n))); n%1000 == 999 {
			a.make(t, batch)
			batch = &consensus.Batch{}
		}
	}
	var o overlays
	step := func() int {
		next, changed, err := o.overlay(a.state)
		if !changed || err != nil {
			t.Fatal(changed, err)
		}
		return len(next.Upstreams["u"].Added)
	}
	if n := step(); n != many {
		t.Fatal(n)
	}
	n, weight := many, 1
	conf := &config.Upstream{Name: "u", Zone: "u"}
	for _, tt := range []struct {
		what   string
		change func(e *edited) (consensus.Change, error)
		want   func() int
	}{
		{"add", func(e *edited) (consensus.Change, error) { n++; return e.add([]string{name(n)}) }, func() int { return n }},
		{"set", func(e *edited) (consensus.Change, error) {
			weight++
			return e.set(name(7), []string{fmt.Sprint("weight=", weight)})
		}, func() int { return n }},
		{"order", func(e *edited) (consensus.Change, error) {
			weight++
			return e.order(name(7), "drain", fmt.Sprint(weight))
		}, func() int { return n }},
		{"remove", func(e *edited) (consensus.Change, error) { n--; return e.remove(name(n + 1)) }, func() int { return n }},
	} {
		allocations := testing.AllocsPerRun(5, func() {
			e, err := edit(conf, a.state)
			if err != nil {
				t.Fatal(err)
			}
			change, err := tt.change(e)
			if err != nil {
				t.Fatal(err)
			}
			a.make(t, change)
			if got := step(); got != tt.want() {
				t.Fatalf("%s: %d servers, want %d", tt.what, got, tt.want())
			}
		})
		if allocations > most {
			t.Errorf("%s: %v allocations", tt.what, allocations)
		}
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestKeysOfState: rings are translated by what their keys are for.
func TestKeysOfState(t *testing.T) {
	t.Parallel()
	a := agreement{state: &consensus.State{}}
	secret := func(n byte) consensus.Secret { return slices.Repeat(consensus.Secret{n}, 32) }
	if keys, err := stickyKeys(nil, secret(9)); err != nil || !keys.Seals() {
		t.Error("nothing seals before there is a ring", err)
	}
	for ring := consensus.StickyRing; ring <= consensus.TicketRing; ring++ {
		for n := range byte(4) {
			a.make(t, &consensus.CreateKey{Ring: ring, ID: uint16(n), Secret: secret(n)})
			if n < 3 {
				a.make(t, &consensus.ActivateKey{Ring: ring, ID: uint16(n)})
			}
		}
	}
	keys, err := stickyKeys(a.state.Ring(consensus.StickyRing), secret(9))
	if err != nil || !keys.Seals() {
		t.Error(err)
	}
	var order []byte
	for _, k := range ticketKeys(a.state.Ring(consensus.TicketRing)) {
		order = append(order, k[0])
	}
	if want := []byte{2, 1, 0, 3}; !slices.Equal(order, want) {
		t.Errorf("ticket keys in the order %v, not %v", order, want)
	}
	if got := ticketKeys(nil); got != nil {
		t.Error(got)
	}
	if _, err := stickyKeys(consensus.Ring{{ID: 7, State: consensus.KeyActive, Secret: secret(1)[:31]}}, nil); err == nil || err.Error() != "sticky key 7 has 31 bytes, not 32" {
		t.Error(err)
	}
}
