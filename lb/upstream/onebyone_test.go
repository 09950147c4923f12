package upstream

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// TestPoolsFollowEachOther changes the lines of an upstream at random, one or a
// few at a time. Whatever way a pool takes over from the one before, it is what
// one made of nothing would be, with the records of those that stay.
func TestPoolsFollowEachOther(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]Kind{"round robin": RoundRobin, "ring": ConsistentHash} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(8) {
				rng := rand.New(rand.NewPCG(seed, 1))
				cfg := Config{Method: Method{Kind: kind}, AllowEmpty: true}
				now := mustPool(t, cfg, nil)
				for range 40 {
					for range 1 + rng.IntN(3) {
						cfg.Servers = anotherLine(rng, cfg.Servers, cfg.Method)
					}
					before, known := now, now.index()
					now = mustPool(t, cfg, before)
					compareToFresh(t, now, mustPool(t, cfg, nil), known)
					retired := now.TakeOver(before)
					if rng.IntN(4) == 0 {
						now = now.judged(nil)
					}
					compareRetired(t, known, now.index(), retired)
				}
			}
		})
	}
}

// anotherLine adds, removes, changes or moves a line.
func anotherLine(rng *rand.Rand, list []Server, m Method) []Server {
	if rng.IntN(2) == 0 {
		return append(list, anyServer(rng, m)) // often in the same memory
	}
	list = slices.Clone(list)
	at := rng.IntN(len(list) + 1)
	switch what := rng.IntN(10); {
	case what < 5 || at == len(list):
		if rng.IntN(2) == 0 {
			at = len(list)
		}
		return slices.Insert(list, at, anyServer(rng, m))
	case what < 8:
		return slices.Delete(list, at, at+1)
	case what < 9:
		list[at].Weight = 1 + rng.IntN(3)
		list[at].Backup = m.AllowsBackup() && rng.IntN(3) == 0
		return list
	}
	moved := list[at]
	return slices.Insert(slices.Delete(list, at, at+1), rng.IntN(len(list)), moved)
}

// anyServer makes one that mostly differs from others.
func anyServer(rng *rand.Rand, m Method) Server {
	names := []int{6, 10_000}[rng.IntN(2)] // few: lines are equal
	n := rng.IntN(names)
	s := Server{Name: fmt.Sprintf("10.1.%d.%d:80", n>>8, n&255), Weight: 1 + rng.IntN(2), MaxFails: 1, FailTimeout: time.Second}
	s.Backup = m.AllowsBackup() && rng.IntN(5) == 0
	s.Addrs = []Addr{{AddrPort: netip.MustParseAddrPort(s.Name)}}
	switch rng.IntN(8) {
	case 0:
		s.Route = fmt.Sprint("r", n)
	case 1:
		s.Name, s.Question = "app", Question{Host: "app"}
		s.Addrs = append(s.Addrs, Addr{Path: fmt.Sprint("/run/", n)})
	}
	return s
}

// compareToFresh compares a pool to one that was made of nothing, and its
// records to those that were there.
func compareToFresh(t *testing.T, p, fresh *Pool, known map[identity]*resident) {
	t.Helper()
	if len(p.groups()) != len(fresh.groups()) {
		t.Fatalf("%d groups, want %d", len(p.groups()), len(fresh.groups()))
	}
	for n, g := range p.groups() {
		want := fresh.groups()[n]
		if len(g.peers) != len(want.peers) || g.total != want.total || g.even != want.even {
			t.Fatalf("%d peers of weight %d, want %d of %d", len(g.peers), g.total, len(want.peers), want.total)
		}
		for i := range g.peers {
			a, b := g.peers[i], want.peers[i]
			id := b.resident.identity
			if r := g.records[i]; r.identity != id || known[id] != nil && r != known[id] || a.resident != r || g.turns[i] != r.turn || a.slot.hot != r.hot {
				t.Fatalf("the record of %v is not the one that was there", id)
			}
			a.slot, a.resident, a.shared, b.slot, b.resident, b.shared = nil, nil, nil, nil, nil, nil
			if a != b {
				t.Fatalf("peer %+v, want %+v", a, b)
			}
		}
		compareRings(t, g.table, want.table)
	}
}

func compareRings(t *testing.T, a, b any) {
	t.Helper()
	r, ok := a.(*ring)
	if !ok {
		return
	}
	want := b.(*ring)
	if !slices.Equal(r.points, want.points) || !slices.EqualFunc(r.members, want.members, slices.Equal) {
		t.Fatalf("a ring of %d points, want one of %d", len(r.points), len(want.points))
	}
}

// compareRetired wants those to be retired that are gone, and no others.
func compareRetired(t *testing.T, before, now map[identity]*resident, retired []*Peer) {
	t.Helper()
	gone := 0
	for id, r := range before {
		if now[id] == nil {
			gone++
		}
		if r.retired.Load() != (now[id] == nil) {
			t.Fatalf("retired: %v, there: %v", r.retired.Load(), now[id] != nil)
		}
	}
	if len(retired) != gone {
		t.Fatalf("%d are retired, want %d", len(retired), gone)
	}
}

// TestOneServerCostsLittle: to add, change or remove a server of thousands
// neither works out what the others are called nor allocates for each of them.
func TestOneServerCostsLittle(t *testing.T) {
	for _, name := range []string{"round_robin", "least_time", "hash", "consistent"} {
		const many, most, few = 500, 200, 60 // and there were five for each server
		var table Table
		cfg := Config{Name: "u", AllowEmpty: true, Method: everyMethod[name]}
		r := commit(t, &table, cfg)
		var e Edits
		for i, s := range servers(many + 100) {
			e.Added = append(e.Added, Addition{Index: uint64(i), Server: s})
		}
		all, n, index := e.Added, many, uint64(0)
		lay := func(list []Addition) {
			index++
			if err := table.SetOverlay(Overlay{index, map[string]Edits{"u": {Added: list}}}); err != nil {
				t.Fatal(err)
			}
		}
		lay(all[:n])
		text := unsafe.StringData(r.Pool().Peers()[7].SID)
		added := testing.AllocsPerRun(20, func() { n++; lay(all[:n]) })
		removed := testing.AllocsPerRun(20, func() { n--; lay(all[:n]) })
		changed := testing.AllocsPerRun(20, func() {
			list := slices.Clone(all[:n])
			list[many/2].Server.Weight = 1 + int(index%2)
			lay(list)
		})
		if added > most || added > few && name != "consistent" || removed > most || changed > most {
			t.Errorf("%s: %v allocations to add one, %v to remove one, %v to change one", name, added, removed, changed)
		}
		if text != unsafe.StringData(r.Pool().Peers()[7].SID) {
			t.Errorf("%s: names of peers that stay were worked out anew", name)
		}
	}
}

// BenchmarkAddServer adds one server to ten thousand beside one that is written.
func BenchmarkAddServer(b *testing.B) {
	for _, name := range []string{"round_robin", "consistent"} {
		b.Run(name, func(b *testing.B) {
			const many, more = 10_000, 500
			var table Table
			some := servers(1 + many + more)
			commit(b, &table, Config{Name: "u", AllowEmpty: true, Method: everyMethod[name], Servers: some[:1]})
			var all []Addition
			for i, s := range some[1:] {
				all = append(all, Addition{Index: uint64(i), Server: s, ID: s.LineID("u")})
			}
			index := uint64(0)
			lay := func(n int) {
				index++
				if err := table.SetOverlay(Overlay{index, map[string]Edits{"u": {Added: all[:n]}}}); err != nil {
					b.Fatal(err)
				}
			}
			n := many + more
			b.ReportAllocs()
			for b.Loop() {
				if n++; n > many+more {
					b.StopTimer()
					lay(many)
					n = many + 1
					b.StartTimer()
				}
				lay(n)
			}
		})
	}
}
