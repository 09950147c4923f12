package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// hashed is which peer each of many keys, or client networks, goes to.
func hashed(t *testing.T, p *Pool) (peers []string) {
	t.Helper()
	for n := range 300 {
		var a PickArgs
		a.Key, a.Client = fmt.Append(nil, "key", n), netip.AddrFrom4([4]byte{10, byte(n), byte(n * 7), 1})
		peer, err := p.Pick(&a)
		if err != nil {
			t.Fatal(err)
		}
		p.Release(&a, Outcome{HeaderTime: -1})
		peers = append(peers, peer.Text)
	}
	return peers
}

// TestNodesHashAlike: nodes that were told the same in different order choose
// the same server for a key; where they differ about the health of a server,
// the keys of all others stay where they are.
func TestNodesHashAlike(t *testing.T) {
	t.Parallel()
	const file = "10.0.0.1:80"
	added := []Addition{{Index: 7, Server: line("10.0.0.7:80 weight=3")}, {Index: 4, Server: line("10.0.0.2:80")}, {Index: 5, Server: line("10.0.0.9:80 weight=2")}, {Index: 6, Server: line("10.0.0.3:80")}}
	for _, kind := range []Kind{Hash, ConsistentHash, IPHash} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			node := func(turn int) *Roster {
				var table Table
				cfg := Config{Name: "u", Method: Method{Kind: kind}, AllowEmpty: true, Servers: []Server{line(file)}}
				r := commit(t, &table, cfg)
				for n := range added { // one after the other here, all together there
					if turn > 0 {
						n = len(added) - 1
					}
					some := slices.Clone(added[:n+1])
					if turn > 0 {
						slices.Reverse(some)
					}
					if err := table.SetOverlay(Overlay{uint64(n + 1), map[string]Edits{"u": {Added: some}}}); err != nil {
						t.Fatal(err)
					}
				}
				return r
			}
			a, b := node(0), node(1)
			want := hashed(t, a.Pool())
			if got := hashed(t, b.Pool()); !slices.Equal(got, want) {
				t.Fatal("two nodes differ")
			}
			ill := b.Pool().Peers()[2]
			b.SetVerdicts(Judgement{ill.PeerID(), VerdictUnhealthy})
			moved := 0
			for i, got := range hashed(t, b.Pool()) {
				switch {
				case want[i] == ill.Text:
					moved++
				case got != want[i]:
					t.Errorf("key %d moves from %s to %s, though only %s is ill", i, want[i], got, ill.Text)
				}
			}
			if moved == 0 {
				t.Error("the server that is ill had no keys")
			}
			b.SetVerdicts(Judgement{ill.PeerID(), VerdictUsable})
			if got := hashed(t, b.Pool()); !slices.Equal(got, want) {
				t.Error("keys do not come back to a server that is well again")
			}
		})
	}
}
