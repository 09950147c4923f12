package upstream

import (
	"sync"
	"testing"
	"time"
)

var appQuestion = Question{Host: "app"}

// stage puts an upstream of the given lines in force.
func stage(t testing.TB, table *Table, lines ...string) *Roster {
	t.Helper()
	cfg := Config{Name: "u", AllowEmpty: true}
	for _, text := range lines {
		cfg.Servers = append(cfg.Servers, line(text))
	}
	return commit(t, table, cfg)
}

func commit(t testing.TB, table *Table, cfg Config) *Roster {
	t.Helper()
	c, err := table.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Commit([]*Change{c}); err != nil {
		t.Fatal(err)
	}
	return table.Find(cfg.Name)
}

func answer(t testing.TB, r *Roster, text string) {
	t.Helper()
	if err := r.SetAnswer(appQuestion, reply(text)); err != nil {
		t.Fatal(err)
	}
}

// order lays nothing but orders over the upstream.
func order(t *testing.T, table *Table, index uint64, orders map[ServerID]Order) {
	t.Helper()
	if err := table.SetOverlay(Overlay{index, map[string]Edits{"u": {Orders: orders}}}); err != nil {
		t.Fatal(err)
	}
}

// expect compares the peers and their states.
func expect(t *testing.T, r *Roster, peers, states string) {
	t.Helper()
	if got := show(r.Pool()); got != peers {
		t.Errorf("peers %q, want %q", got, peers)
	}
	var got string
	for i, p := range r.Pool().Status(0).Peers {
		if i > 0 {
			got += " "
		}
		got += p.State.String()
	}
	if got != states {
		t.Errorf("states %q, want %q", got, states)
	}
}

// ids gives the peers by their addresses.
func ids(r *Roster) map[string]PeerID {
	m := map[string]PeerID{}
	for _, p := range r.Pool().Peers() {
		m[p.Text] = p.PeerID()
	}
	return m
}

// What different writers say of one upstream holds together, and over reloads.
func TestWriters(t *testing.T) {
	t.Parallel()
	var table Table
	r := stage(t, &table, "app resolve", "10.9.9.9:80")
	expect(t, r, "10.9.9.9:80", "up")
	answer(t, r, "10.0.0.1 10.0.0.2")
	r.SetVerdicts(Judgement{ids(r)["10.0.0.1:80"], VerdictUnhealthy}, Judgement{ids(r)["10.9.9.9:80"], VerdictChecking})
	order(t, &table, 1, map[ServerID]Order{NewServerID("u", "10.0.0.2:80"): OrderDrain})
	expect(t, r, "app=10.0.0.1:80 app=10.0.0.2:80 10.9.9.9:80", "unhealthy draining checking")

	// A reload that names all of it changes nothing, but for what it says.
	if again := stage(t, &table, "10.9.9.9:80 backup", "app resolve weight=2"); again != r {
		t.Error("another upstream")
	}
	expect(t, r, "app=10.0.0.1:80*2 app=10.0.0.2:80*2 b:10.9.9.9:80", "unhealthy draining checking")

	// A peer that has been away comes back unjudged; an order holds until it
	// is withdrawn.
	answer(t, r, "10.0.0.3")
	expect(t, r, "app=10.0.0.3:80*2 b:10.9.9.9:80", "up checking")
	answer(t, r, "10.0.0.1 10.0.0.2")
	expect(t, r, "app=10.0.0.1:80*2 app=10.0.0.2:80*2 b:10.9.9.9:80", "up draining checking")
	order(t, &table, 2, nil)
	expect(t, r, "app=10.0.0.1:80*2 app=10.0.0.2:80*2 b:10.9.9.9:80", "up up checking")

	// An answer is forgotten with the last line that asks.
	stage(t, &table, "10.9.9.9:80")
	stage(t, &table, "app resolve", "10.9.9.9:80")
	expect(t, r, "10.9.9.9:80", "checking")
	if err := r.SetAnswer(Question{Host: "nobody"}, reply("10.0.0.1")); err != nil {
		t.Error(err)
	}
	expect(t, r, "10.9.9.9:80", "checking")

	if err := table.Commit(nil); err != nil {
		t.Fatal(err)
	}
	if table.Find("u") != nil || !r.Pool().Peers()[0].Retired() {
		t.Error("an upstream that no configuration names is still there")
	}
}

// What is said between Prepare and Commit counts, whichever writer says it.
func TestSaidMeanwhile(t *testing.T) {
	t.Parallel()
	var table Table
	r := stage(t, &table, "app resolve", "10.9.9.9:80")
	answer(t, r, "10.0.0.1")
	cfg := Config{Name: "u", AllowEmpty: true, Servers: []Server{line("app resolve weight=5"), line("10.9.9.9:80")}}
	for _, say := range []func(){
		func() { answer(t, r, "10.0.0.2") },
		func() { r.SetVerdicts(Judgement{ids(r)["10.9.9.9:80"], VerdictUnhealthy}) },
	} {
		c, err := table.Prepare(cfg)
		if err != nil {
			t.Fatal(err)
		}
		say()
		if err := table.Commit([]*Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, r, "app=10.0.0.2:80*5 10.9.9.9:80", "up unhealthy")
}

// Peers that stay keep what they have experienced; new ones begin as the
// configuration says.
func TestPeersStay(t *testing.T) {
	t.Parallel()
	var table Table
	r := commit(t, &table, Config{Name: "u", AllowEmpty: true, Unjudged: VerdictChecking, Servers: []Server{line("app resolve")}})
	answer(t, r, "10.0.0.1 10.0.0.2")
	expect(t, r, "app=10.0.0.1:80 app=10.0.0.2:80", "checking checking")
	r.SetVerdicts(Judgement{Peer: ids(r)["10.0.0.2:80"]}, Judgement{Peer: PeerID{Addr: "nobody"}})
	var a PickArgs
	p, err := r.Pool().Pick(&a)
	if err != nil || p.Text != "10.0.0.2:80" {
		t.Fatal(p, err)
	}
	p.SetConns("idle")
	answer(t, r, "10.0.0.2 10.0.0.3")
	expect(t, r, "app=10.0.0.2:80 app=10.0.0.3:80", "up checking")
	if st := r.Pool().Status(0).Peers[0]; st.Active != 1 || st.Requests != 1 || r.Pool().Peers()[0].Conns() != "idle" {
		t.Errorf("the peer that stays lost something: %+v", st)
	}
	r.SetVerdicts(Judgement{ids(r)["10.0.0.2:80"], VerdictUnhealthy})
	if st := r.Pool().Status(0).Peers[0]; st.Active != 1 || st.State != StateUnhealthy {
		t.Errorf("after a verdict: %+v", st)
	}
	answer(t, r, "10.0.0.3")
	if !p.Retired() || r.Pool().Status(0).Zombies != 1 {
		t.Error("a peer with a request in work went without a trace")
	}
	r.Pool().Release(&a, Outcome{Status: 200})
	if r.Pool().Status(0).Zombies != 0 {
		t.Error("the zombie stays")
	}
}

// Changed tells of peers that come and go, and of nothing else.
func TestChanged(t *testing.T) {
	t.Parallel()
	var table Table
	r := stage(t, &table, "app resolve", "10.9.9.9:80")
	for _, c := range []struct {
		what string
		do   func()
		want bool
	}{
		{"an answer", func() { answer(t, r, "10.0.0.1 10.0.0.2") }, true},
		{"the same answer", func() { answer(t, r, "10.0.0.1 10.0.0.2") }, false},
		{"a verdict", func() { r.SetVerdicts(Judgement{ids(r)["10.0.0.1:80"], VerdictUnhealthy}) }, false},
		{"an order", func() { order(t, &table, 1, map[ServerID]Order{1: OrderDown}) }, false},
		{"a reload with another weight", func() { stage(t, &table, "app resolve weight=2", "10.9.9.9:80") }, false},
		{"a shorter answer", func() { answer(t, r, "10.0.0.2") }, true},
		{"a reload without a line", func() { stage(t, &table, "app resolve") }, true},
	} {
		before := r.Changed()
		c.do()
		got := false
		select {
		case <-before:
			got = true
		default:
		}
		if got != c.want {
			t.Errorf("%s: told %v, want %v", c.what, got, c.want)
		}
	}
}

// A request that chooses while answers, verdicts and reloads change the
// upstream always finds a peer, if only one of before.
func TestNeverEmptyBetween(t *testing.T) {
	t.Parallel()
	var table Table
	r := stage(t, &table, "app resolve")
	answer(t, r, "10.0.0.1")
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				a := PickArgs{Now: int64(n)}
				pool := r.Pool()
				if _, err := pool.Pick(&a); err != nil {
					t.Error(err)
					return
				}
				pool.Release(&a, Outcome{Now: int64(n), Status: 200})
			}
		})
	}
	for i := range 500 {
		answer(t, r, []string{"10.0.0.1", "10.0.0.2 10.0.0.3"}[i%2])
		r.SetVerdicts(Judgement{ids(r)["10.0.0.2:80"], VerdictUnhealthy})
		if i%50 == 0 {
			stage(t, &table, "app resolve", "10.9.9.9:80")
		}
	}
	close(done)
	wg.Wait()
	for i := range 2 {
		answer(t, r, []string{"10.0.0.1", "10.0.0.2"}[i])
	}
	if z := r.Pool().Status(0).Zombies; z != 0 {
		t.Errorf("%d zombies without requests in work", z)
	}
}

// BenchmarkVerdicts measures a thousand verdicts at once.
func BenchmarkVerdicts(b *testing.B) {
	var table Table
	r := commit(b, &table, Config{Name: "u", Method: Method{Kind: ConsistentHash}, Servers: servers(1000)})
	var list []Judgement
	for _, p := range r.Pool().Peers() {
		list = append(list, Judgement{Peer: p.PeerID()})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j := range list {
			list[j].Verdict = Verdict(1 + i%2)
		}
		r.SetVerdicts(list...)
	}
	if st := r.Pool().Status(int64(time.Second)).Peers[0].State; st == StateUp {
		b.Error(st)
	}
}
