package upstream

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// servers makes n servers 10.0.x.y:80 named like their addresses, in the
// manner of nginx's defaults.
func servers(n int) []Server {
	list := make([]Server, n)
	for i := range list {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		list[i] = Server{
			Name: addr.String(), Addrs: []Addr{{AddrPort: addr}},
			Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second,
		}
	}
	return list
}

func mustPool(t testing.TB, cfg Config, old *Pool) *Pool {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "u"
	}
	p, err := NewPool(cfg, old)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// everyMethod is each method with all its variants.
var everyMethod = map[string]Method{
	"round_robin": {},
	"least_conn":  {Kind: LeastConn},
	"least_time":  {Kind: LeastTime, Measure: Header},
	"inflight":    {Kind: LeastTime, Measure: LastByte, Inflight: true},
	"ip_hash":     {Kind: IPHash},
	"hash":        {Kind: Hash},
	"consistent":  {Kind: ConsistentHash},
	"random":      {Kind: Random},
	"random_two":  {Kind: RandomTwo},
	"random_time": {Kind: RandomTwo, Measure: LastByte},
}

func TestNewPoolRefuses(t *testing.T) {
	t.Parallel()
	edit := func(f func(*Server)) []Server {
		list := servers(2)
		f(&list[1])
		return list
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, `no servers in upstream "u"`},
		{Config{Servers: []Server{{Name: "x", Weight: 1}}}, `no servers in upstream "u"`},
		{Config{Servers: edit(func(s *Server) { s.Weight = 0 })}, `server "10.0.0.1:80": invalid weight 0`},
		{Config{Servers: edit(func(s *Server) { s.MaxConns = -1 })}, `server "10.0.0.1:80": negative limit`},
		{Config{Method: Method{Kind: Hash}, Servers: edit(func(s *Server) { s.Backup = true })}, `balancing method does not support parameter "backup"`},
	} {
		c.cfg.Name = "u"
		_, err := NewPool(c.cfg, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestTriesAndSingle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		edit   func([]Server) []Server
		tries  int
		single bool
	}{
		{func(s []Server) []Server { return s }, 3, false},
		{func(s []Server) []Server { return s[:1] }, 1, true},
		{func(s []Server) []Server { s[1].Down = true; return s }, 2, false},
		{func(s []Server) []Server { s[1].Backup = true; return s[:2] }, 2, false},
		{func(s []Server) []Server { s[0].Down = true; s[2].Backup = true; return s }, 2, false},
	} {
		p := mustPool(t, Config{Servers: c.edit(servers(3))}, nil)
		if p.Tries() != c.tries || p.Single() != c.single {
			t.Errorf("tries %d single %v, want %d %v", p.Tries(), p.Single(), c.tries, c.single)
		}
	}
}

func TestSingleHonoursDownAndMaxConns(t *testing.T) {
	t.Parallel()
	list := servers(1)
	list[0].MaxConns = 1
	p := mustPool(t, Config{Servers: list}, nil)
	var a, b PickArgs
	if _, err := p.Pick(&a); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Pick(&b); err != ErrNoLive {
		t.Errorf("beyond max_conns: %v", err)
	}
	list[0].Down = true
	if _, err := mustPool(t, Config{Servers: list}, nil).Pick(&b); err != ErrNoLive {
		t.Errorf("down: %v", err)
	}
}

// TestShares is the law that picks follow the weights, to the accuracy that
// the method promises. (least_time and random two promise something else.)
func TestShares(t *testing.T) {
	t.Parallel()
	const picks = 20000
	for name, slack := range map[string]float64{
		"round_robin": 0.0005, "least_conn": 0.0005,
		"ip_hash": 0.01, "hash": 0.01, "random": 0.01, "consistent": 0.08,
	} {
		list := servers(5)
		total := 0
		for i := range list {
			list[i].Weight = 1 + 2*i
			total += list[i].Weight
		}
		p := mustPool(t, Config{Method: everyMethod[name], Servers: list, Rand: rand.NewPCG(3, 4)}, nil)
		got := map[string]int{}
		for i := range picks {
			n := uint32(i) * 2654435761
			a := PickArgs{Key: fmt.Append(nil, n), Client: netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), 1})}
			peer, err := p.Pick(&a)
			if err != nil {
				t.Fatal(name, err)
			}
			got[peer.Server]++
			p.Release(&a, Outcome{HeaderTime: -1})
		}
		for _, s := range list {
			share, want := float64(got[s.Name])/picks, float64(s.Weight)/float64(total)
			if math.Abs(share-want) > slack {
				t.Errorf("%s: a server of weight %d got %.4f, want %.4f", name, s.Weight, share, want)
			}
		}
	}
}

// TestConsistentMovesFewKeys is the law of consistent hashing: a server that
// goes gives its keys away, all other keys stay.
func TestConsistentMovesFewKeys(t *testing.T) {
	t.Parallel()
	list := servers(10)
	before := mustPool(t, Config{Method: Method{Kind: ConsistentHash}, Servers: list}, nil)
	gone := list[4].Name
	after := mustPool(t, Config{Method: Method{Kind: ConsistentHash}, Servers: append(list[:4:4], list[5:]...)}, nil)
	for i := range 5000 {
		key := fmt.Append(nil, "key", i)
		x, _ := before.Pick(&PickArgs{Key: key})
		y, _ := after.Pick(&PickArgs{Key: key})
		if x.Server != gone && x.Server != y.Server {
			t.Fatalf("key %s moved from %s to %s", key, x.Server, y.Server)
		}
	}
}

// TestConcurrentUse runs picks, failures, reloads and status reads at once;
// in the end no request may be left in the books.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for name, m := range everyMethod {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Name: "u", Method: m, Servers: servers(4)}
			pools := []*Pool{mustPool(t, cfg, nil)}
			cfg.Servers = servers(5)[1:]
			pools = append(pools, mustPool(t, cfg, pools[0]))
			var all sync.WaitGroup
			for w := range 4 {
				all.Go(func() { churn(t, pools, w) })
			}
			all.Go(func() { pools[1].TakeOver(pools[0]) })
			for i := range 50 {
				pools[i%2].Status(int64(i))
			}
			all.Wait()
			for _, p := range pools {
				st := p.Status(0)
				if st.Zombies != 0 {
					t.Errorf("%d zombies", st.Zombies)
				}
				for _, peer := range st.Peers {
					if peer.Active != 0 {
						t.Errorf("%s: %d requests left in work", peer.Addr, peer.Active)
					}
				}
			}
		})
	}
}

// churn is one goroutine's share of TestConcurrentUse.
func churn(t *testing.T, pools []*Pool, worker int) {
	rng := rand.New(rand.NewPCG(uint64(worker), 1))
	var a PickArgs
	for i := range 300 {
		a.Reset()
		p := pools[rng.IntN(2)]
		for range 3 {
			a.Now += rng.Int64N(int64(20 * time.Second))
			a.Key = append(a.Key[:0], byte(i), byte(worker), 1)
			peer, err := p.Pick(&a)
			if err == ErrNoLive {
				break
			} else if err != nil || peer == nil {
				t.Error(peer, err)
				return
			}
			p.HeaderReceived(&a, time.Millisecond, a.Now)
			p.Release(&a, Outcome{Now: a.Now, Failed: rng.IntN(4) == 0, Status: 200, HeaderTime: time.Millisecond})
		}
	}
}

// TestSwapBetweenAttempts checks that a request whose pool was swapped between
// two attempts neither repeats a peer nor finds none where there is one.
func TestSwapBetweenAttempts(t *testing.T) {
	t.Parallel()
	list := servers(300)
	first := mustPool(t, Config{Servers: list}, nil)
	var a PickArgs
	seen := map[string]bool{}
	for range 290 {
		peer, err := first.Pick(&a)
		if err != nil {
			t.Fatal(err)
		}
		seen[peer.Text] = true
		first.Release(&a, Outcome{Next: true})
	}
	second := mustPool(t, Config{Servers: list[100:]}, first)
	left := 0
	for {
		peer, err := second.Pick(&a)
		if err != nil {
			break
		}
		if seen[peer.Text] {
			t.Fatalf("%s picked again", peer.Text)
		}
		left++
		second.Release(&a, Outcome{Next: true})
	}
	if left != 10 {
		t.Errorf("%d peers were left, want 10", left)
	}
}

func TestReleaseWithoutPick(t *testing.T) {
	t.Parallel()
	p := mustPool(t, Config{Servers: servers(2)}, nil)
	var a PickArgs
	if p.Release(&a, Outcome{Failed: true}) {
		t.Error("a release without a pick disabled something")
	}
	peer, _ := p.Pick(&a)
	if a.Peer() != peer {
		t.Error("the picked peer is forgotten")
	}
	p.Release(&a, Outcome{})
	p.Release(&a, Outcome{})
	if got := p.Status(0).Peers[0].Active; got != 0 {
		t.Errorf("active %d after two releases", got)
	}
}

func TestConnsSurviveReload(t *testing.T) {
	t.Parallel()
	old := mustPool(t, Config{Servers: servers(2)}, nil)
	kept := old.Peers()[0].SetConns("idle")
	if again := old.Peers()[0].SetConns("late"); again != kept || kept != "idle" {
		t.Errorf("kept %v, then %v", kept, again)
	}
	p := mustPool(t, Config{Servers: servers(1)}, old)
	retired := p.TakeOver(old)
	if got := p.Peers()[0].Conns(); got != "idle" {
		t.Errorf("after the reload: %v", got)
	}
	if len(retired) != 1 || !retired[0].Retired() || p.Peers()[0].Retired() {
		t.Errorf("retired %v", retired)
	}
	if all := p.Retire(); len(all) != 1 || !all[0].Retired() {
		t.Errorf("retire: %v", all)
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	p := mustPool(t, Config{Servers: servers(2)}, nil)
	for i, status := range []int{200, 204, 301, 404, 500, 0, 999} {
		a := PickArgs{Now: int64(i + 1)}
		if _, err := p.Pick(&a); err != nil {
			t.Fatal(err)
		}
		p.Release(&a, Outcome{Status: status, Sent: 10, Received: 100, Failed: status == 0})
	}
	var sum PeerStatus
	for _, v := range p.Status(0).Peers {
		for i := range v.Responses {
			sum.Responses[i] += v.Responses[i]
		}
		sum.Requests += v.Requests
		sum.Sent += v.Sent
		sum.Received += v.Received
		sum.Fails += v.Fails
		sum.Selected = max(sum.Selected, v.Selected)
	}
	want := PeerStatus{Responses: [6]uint64{2, 0, 2, 1, 1, 1}, Requests: 7, Sent: 70, Received: 700, Fails: 1, Selected: 7}
	if sum != want {
		t.Errorf("got %+v\nwant %+v", sum, want)
	}
	p.ResetStatistics()
	if v := p.Status(0).Peers[0]; v.Requests != 0 || v.Sent != 0 {
		t.Errorf("after the reset: %+v", v)
	}
}

func TestDowntime(t *testing.T) {
	t.Parallel()
	sec := int64(time.Second)
	p := mustPool(t, Config{Servers: servers(2)}, nil)
	a := PickArgs{Now: 5 * sec}
	_, _ = p.Pick(&a)
	if !p.Release(&a, Outcome{Now: 6 * sec, Failed: true}) {
		t.Fatal("not disabled")
	}
	v := p.Status(10 * sec).Peers[0]
	if v.State != StateUnavail || v.Downstart != 6*sec || v.Downtime != 4*time.Second || v.Unavail != 1 {
		t.Errorf("while out: %+v", v)
	}
	for range 3 { // the lowered weight puts the peer last
		a = PickArgs{Now: 20 * sec}
		_, _ = p.Pick(&a)
		p.Release(&a, Outcome{Now: 21 * sec, Status: 200})
	}
	v = p.Status(30 * sec).Peers[0]
	if v.State != StateUp || v.Downstart != 0 || v.Downtime != 15*time.Second {
		t.Errorf("after: %+v", v)
	}
}

func TestEmptyPool(t *testing.T) {
	t.Parallel()
	for name, m := range everyMethod {
		p := mustPool(t, Config{Method: m, AllowEmpty: true}, nil)
		a := PickArgs{Key: []byte("k"), Hint: []byte("h")}
		if _, err := p.Pick(&a); !errors.Is(err, ErrNoLive) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
