package health

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// Whatever order reports come in, and however often, the newest of each node
// and peer counts, and none of an older process.
func TestLedgerMerges(t *testing.T) {
	t.Parallel()
	now := time.Now()
	peers := []upstream.PeerID{{Addr: "a"}, {Addr: "b"}}
	var all []Report
	for _, node := range []string{"n1", "n2"} {
		for boot := uint64(1); boot <= 3; boot++ {
			for seq := uint64(1); seq <= 4; seq++ {
				if boot == 3 && seq > 1 {
					continue // b is not told of by the newest process
				}
				all = append(all, Report{Node: node, Boot: boot, Seq: seq, Peer: peers[(seq+boot)%2], Status: Status(1 + seq%3)})
			}
		}
	}
	for range 200 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var l ledger
		for _, r := range append(all, all[:5]...) {
			l.merge(r, now)
		}
		for _, node := range []string{"n1", "n2"} {
			a, b := l.of(peers[0], node, now, time.Second), l.of(peers[1], node, now, time.Second)
			if a == nil || a.Boot != 3 || a.Seq != 1 || b != nil {
				t.Fatalf("%s: %+v, %+v", node, a, b)
			}
		}
	}
}

// What a node says is fresh as long as it gives signs of life, and is forgotten
// long after it was seen alive.
func TestLedgerAges(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var l ledger
	peer := upstream.PeerID{Addr: "a"}
	if l.merge(Report{Node: "n", Boot: 1, Seq: 1, Peer: peer}, now); l.of(peer, "n", now.Add(time.Second), time.Second) == nil {
		t.Error("not fresh after a second")
	}
	later := now.Add(2 * time.Second)
	if l.of(peer, "n", later, time.Second) != nil {
		t.Error("fresh after two seconds")
	}
	l.witness("n").seen = later
	if l.of(peer, "n", later, time.Second) == nil {
		t.Error("not fresh after a sign of life")
	}
	if l.merge(Report{Node: "n", Boot: 1, Seq: 1, Peer: peer, Status: StatusDown}, later) {
		t.Error("a repetition is news")
	}
	for i, after := range []time.Duration{0, time.Minute, 2 * time.Hour} {
		l.alive(nil, later.Add(after))
		if kept := len(l.peers) > 0; kept != (i < 2) {
			t.Errorf("%s without life: kept %v", after, kept)
		}
	}
}

// What nothing is said about takes no room.
func TestLedgerCleans(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var l ledger
	for i := range 10 {
		peer := upstream.PeerID{Addr: fmt.Sprint(i)}
		l.merge(Report{Node: "n", Boot: 1, Seq: uint64(i), Peer: peer, Status: Status(i % 2)}, now)
		l.clean(peer)
	}
	if len(l.peers) != 5 {
		t.Errorf("%d peers are kept", len(l.peers))
	}
}
