package upstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestLineupFollowsEdits changes edits and configurations at random. Whatever was
// lined up before, the servers are those of a configuration under its edits, and
// the pool has them.
func TestLineupFollowsEdits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var table Table
		cfg := Config{Name: "u", AllowEmpty: true}
		var e Edits
		var before *Pool
		for index := range uint64(60) {
			if index == 0 || rng.IntN(15) == 0 {
				cfg = anotherFile(rng)
				commit(t, &table, cfg)
			}
			e = anotherEdit(rng, e, index)
			if err := table.SetOverlay(Overlay{index, map[string]Edits{"u": e}}); err != nil {
				t.Fatal(err)
			}
			r, want := table.Find("u"), e.over(&cfg)
			if got := r.Servers(); !slices.EqualFunc(got, want, func(a, b Server) bool { return a.equal(&b) }) {
				t.Fatalf("servers %+v, want %+v", got, want)
			}
			fresh := cfg
			fresh.Servers = slices.DeleteFunc(slices.Clone(want), func(s Server) bool { return s.asks() }) // nobody answers
			if got, want := show(r.Pool()), show(mustPool(t, fresh, nil)); got != want && r.Pool() != before {
				t.Fatalf("peers %q, want %q", got, want)
			}
			if asks := len(fresh.Servers) < len(want); asks != (len(r.Questions()) > 0) {
				t.Fatalf("asks %v, want %v", r.Questions(), asks)
			}
			before = r.Pool()
			if a := (PickArgs{Key: benchKey}); len(fresh.Servers) > 1 { // weights grow with picks
				if _, err := r.Pool().Pick(&a); err == nil {
					r.Pool().Release(&a, Outcome{})
				}
			}
		}
	}
}

// anotherFile makes a configuration of a few lines.
func anotherFile(rng *rand.Rand) Config {
	cfg := Config{Name: "u", AllowEmpty: true, Method: Method{Kind: []Kind{RoundRobin, Hash}[rng.IntN(2)]}}
	for range rng.IntN(4) {
		s := few(rng)
		s.Backup = s.Backup && cfg.Method.AllowsBackup()
		cfg.Servers = append(cfg.Servers, s)
	}
	return cfg
}

// few makes one of few servers, so that edits meet lines, or of many.
func few(rng *rand.Rand) Server {
	n := rng.IntN([]int{20, 10_000, 10_000, 10_000}[rng.IntN(4)])
	s := line(fmt.Sprintf("10.0.%d.%d:80%s", n>>8, n&255, []string{"", "", "", " weight=2", " backup"}[rng.IntN(5)]))
	switch rng.IntN(12) {
	case 0:
		s = line("app resolve")
	case 1:
		s.SlowStart = time.Second
	}
	return s
}

// anotherEdit makes edits of edits: mostly more servers, in the same memory.
func anotherEdit(rng *rand.Rand, e Edits, index uint64) Edits {
	what := rng.IntN(12)
	if n := len(e.Added); n > 0 && what < 2 {
		at := rng.IntN(n)
		e.Added = slices.Delete(slices.Clone(e.Added), at, at+1)
	}
	id := func() ServerID { s := few(rng); return s.LineID("u") }
	switch what {
	case 2:
		e.Removed = map[ServerID]bool{id(): true, id(): true}
	case 3:
		weight := 1 + rng.IntN(3)
		e.Changed = map[ServerID]Edit{id(): {Weight: &weight}}
	case 4:
		e.Orders = map[ServerID]Order{id(): OrderDown}
	case 5: // before others
		e.Added = append(slices.Clone(e.Added), Addition{Index: index / 2, Server: few(rng)})
	default:
		for range rng.IntN(3) {
			s := few(rng)
			e.Added = append(e.Added, Addition{Index: index - uint64(rng.IntN(8)/7)*index/2, Server: s, ID: s.LineID("u") * ServerID(rng.IntN(2))})
		}
	}
	return e
}
