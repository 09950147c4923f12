package health

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// ledger holds what other nodes say of peers, the newest of each. The order in
// which reports come has no meaning, nor has their repetition.
type ledger struct {
	nodes map[string]*witness
	peers map[upstream.PeerID][]heard
}

// witness is a node that has been heard.
type witness struct {
	boot uint64    // the newest process of it; reports of others do not count
	seen time.Time // the last sign of life
	gone time.Time // since when it is not alive; zero: it is, or may be
}

// heard is a report and when it came.
type heard struct {
	Report
	by *witness
	at time.Time
}

const (
	// leastFresh is how long the reports of a silent node count at least.
	leastFresh = 10 * time.Second
	// keptAfter is how long reports of a node that is not alive are kept: it
	// may be the network that is broken.
	keptAfter = time.Hour
)

// witness finds the entry of a node, or makes it.
func (l *ledger) witness(node string) *witness {
	w := l.nodes[node]
	if w == nil {
		if l.nodes == nil {
			l.nodes, l.peers = map[string]*witness{}, map[upstream.PeerID][]heard{}
		}
		w = &witness{}
		l.nodes[node] = w
	}
	return w
}

// merge takes a report in and tells whether it says anything new.
func (l *ledger) merge(r Report, now time.Time) bool {
	w := l.witness(r.Node)
	if r.Boot < w.boot {
		return false
	}
	w.boot, w.seen = r.Boot, now
	list := l.peers[r.Peer]
	i := slices.IndexFunc(list, func(h heard) bool { return h.by == w })
	if i < 0 {
		l.peers[r.Peer] = append(list, heard{r, w, now})
		return true
	}
	if h := &list[i]; h.Boot > r.Boot || h.Boot == r.Boot && h.Seq >= r.Seq {
		return false
	}
	list[i] = heard{r, w, now}
	return true
}

// of finds what a node says of a peer; nil: nothing that counts.
func (l *ledger) of(peer upstream.PeerID, node string, now time.Time, fresh time.Duration) *heard {
	w := l.nodes[node]
	if w == nil || now.Sub(w.seen) > fresh {
		return nil
	}
	list := l.peers[peer]
	for i := range list {
		if h := &list[i]; h.by == w && h.Boot == w.boot {
			return h
		}
	}
	return nil
}

// clean forgets what says nothing about a peer that is not checked here.
func (l *ledger) clean(peer upstream.PeerID) {
	l.keep(peer, func(h heard) bool { return h.Status != StatusUnknown && h.Boot == h.by.boot })
}

// keep forgets what is said about a peer, but for some of it.
func (l *ledger) keep(peer upstream.PeerID, wanted func(heard) bool) {
	list := slices.DeleteFunc(l.peers[peer], func(h heard) bool { return !wanted(h) })
	if len(list) == 0 {
		delete(l.peers, peer)
	} else {
		l.peers[peer] = list
	}
}

// alive notes which nodes are alive, and forgets those that have not been so
// for long.
func (l *ledger) alive(ids []string, now time.Time) {
	var lost []*witness
	for id, w := range l.nodes {
		switch {
		case slices.Contains(ids, id):
			w.gone = time.Time{}
		case w.gone.IsZero():
			w.gone = now
		case now.Sub(w.gone) > keptAfter:
			lost = append(lost, w)
			delete(l.nodes, id)
		}
	}
	if lost == nil {
		return
	}
	for peer := range l.peers {
		l.keep(peer, func(h heard) bool { return !slices.Contains(lost, h.by) })
	}
}
