package upstream

import (
	"testing"
	"time"
)

// rosterOf puts a configuration in force.
func rosterOf(t testing.TB, cfg Config) *Roster {
	t.Helper()
	var table Table
	change, err := table.Prepare(cfg)
	if err == nil {
		err = table.Commit([]*Change{change})
	}
	if err != nil {
		t.Fatal(err)
	}
	return table.Find(cfg.Name)
}

// failRelease lets a request fail.
func failRelease(p *Pool, a *PickArgs, now int64) {
	a.Reset()
	a.Now = now
	if _, err := p.Pick(a); err != nil {
		panic(err)
	}
	p.Release(a, Outcome{Now: now, Failed: true, HeaderTime: -1})
}

// Failures are told once a second for each peer, also of a pool that came
// later, and nobody waits where they find no room.
func TestSuspects(t *testing.T) {
	t.Parallel()
	cfg := Config{Name: "u", Servers: servers(2)}
	for i := range cfg.Servers {
		cfg.Servers[i].MaxFails = 0
	}
	r := rosterOf(t, cfg)
	told := make(chan PeerID, 3)
	var a PickArgs
	failRelease(r.Pool(), &a, 0) // nobody listens
	r.Suspects(told)
	for i := range 20 {
		failRelease(r.Pool(), &a, int64(i)*int64(time.Millisecond))
	}
	if len(told) != 2 {
		t.Fatalf("%d suspicions of 2 peers", len(told))
	}
	if one, other := <-told, <-told; one == other {
		t.Errorf("twice %v", one)
	}
	r.SetVerdicts(Judgement{Peer: PeerID{Upstream: "u", Server: "10.0.0.1:80", Addr: "10.0.0.1:80"}, Verdict: VerdictUnhealthy})
	for i := range 20 {
		failRelease(r.Pool(), &a, int64(i+1)*int64(time.Second))
	}
	if len(told) != 3 {
		t.Errorf("%d suspicions, there is room for 3", len(told))
	}
	if s := <-told; s != (PeerID{"u", "10.0.0.0:80", "10.0.0.0:80"}) {
		t.Errorf("suspicion of %v", s)
	}
}

// BenchmarkFailedRelease measures what telling of failures costs a request that
// fails; others are not concerned.
func BenchmarkFailedRelease(b *testing.B) {
	for name, gap := range map[string]time.Duration{"unheard": -1, "heard": time.Microsecond, "told": time.Second} {
		b.Run(name, func(b *testing.B) {
			cfg := Config{Name: "u", Servers: servers(1)}
			r := rosterOf(b, cfg)
			told := make(chan PeerID, 1)
			if gap >= 0 {
				r.Suspects(told)
			}
			var a PickArgs
			var now int64
			b.ReportAllocs()
			for b.Loop() {
				now += int64(gap)
				failRelease(r.Pool(), &a, now)
				select {
				case <-told:
				default:
				}
			}
		})
	}
}
