package health

import (
	"fmt"
	"slices"
	"testing"

	"github.com/weir-lb/weir/lb/upstream"
)

// keys are those of the peers of an upstream of n servers.
func keys(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = upstream.PeerID{Upstream: "u", Server: "s", Addr: fmt.Sprint(i)}.Key()
	}
	return list
}

func nodeIDs(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%032x", 7*i+1)
	}
	return list
}

// Three nodes check each peer, or all where there are fewer, and the work is
// shared evenly.
func TestProbersShare(t *testing.T) {
	t.Parallel()
	const peers = 3000
	for _, n := range []int{0, 1, 2, 3, 5, 50} {
		share := map[string]int{}
		for _, key := range keys(peers) {
			list := Probers(key, nodeIDs(n))
			if len(list) != min(n, 3) {
				t.Fatalf("%d probers of %d nodes", len(list), n)
			}
			for i, id := range list {
				if share[id]++; slices.Contains(list[:i], id) {
					t.Fatal("twice the same")
				}
			}
		}
		for id, got := range share {
			if want := peers * min(n, 3) / n; got < want*7/10 || got > want*13/10 {
				t.Errorf("node %s of %d checks %d peers, %d would be even", id, n, got, want)
			}
		}
	}
}

// The order of the nodes has no meaning, and one that goes moves only what it
// checked: each peer loses it and nobody else.
func TestProbersMove(t *testing.T) {
	t.Parallel()
	all := nodeIDs(20)
	fewer := slices.Clone(all[1:])
	slices.Reverse(fewer)
	moved := 0
	for _, key := range keys(10000) {
		before, after := Probers(key, all), Probers(key, fewer)
		if i := slices.Index(before, all[0]); i >= 0 {
			moved++
			before = slices.Delete(slices.Clone(before), i, i+1)
			after = after[:2]
		}
		if !slices.Equal(before, after) {
			t.Fatalf("%v became %v", before, after)
		}
	}
	if moved > 10000*3/20*12/10 {
		t.Errorf("%d of 10000 peers got another prober, 1500 would be even", moved)
	}
}

func TestKeyIsFixed(t *testing.T) {
	t.Parallel()
	id := upstream.PeerID{Upstream: "app", Server: "10.0.0.1", Addr: "10.0.0.1:80"}
	if got := fmt.Sprintf("%016x", id.Key()); got != "4480ea82b8bdcf6f" {
		t.Errorf("key %s: nodes of other versions would not understand it", got)
	}
}
