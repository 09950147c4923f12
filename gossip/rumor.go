package gossip

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	packetLimit  = 1150 // of one packet's message; what is longer could be cut on its way
	burst        = 32   // how many records may go by packets
	burstWindow  = 200 * time.Millisecond
	sendsPerNews = 4 // how often a record rides on other packets, times the digits of the number of nodes
)

// rumor is a record on its way to others in packets.
type rumor struct {
	writer nodeID
	boot   uint64
	entry
	sent int // how often it rode along
}

// rumors are the records that go by packets, the newest of each slot of a writer. Its size is bounded by the budget:
// burst records in a window, the others go by streams. It may be used by many goroutines.
type rumors struct {
	mu      sync.Mutex
	waiting []*rumor
	hot     []batch // that have not been sent at all
	since   time.Time
	spent   int
	nodes   int // in the cluster
}

// add takes the records of a batch, or refuses all of it when there have been too many lately. Hot ones are sent at
// once, the others only ride along.
func (q *rumors) add(b batch, now time.Time, hot bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.since) > burstWindow {
		q.since, q.spent = now, 0
	}
	if q.spent+len(b.entries) > burst {
		q.spent = burst
		return false
	}
	q.spent += len(b.entries)
	for _, e := range b.entries {
		q.waiting = slices.DeleteFunc(q.waiting, func(r *rumor) bool { return r.writer == b.writer && r.slot == e.slot })
		q.waiting = append(q.waiting, &rumor{writer: b.writer, boot: b.boot, entry: e})
	}
	if hot {
		q.hot = append(q.hot, b)
	}
	return true
}

// takeHot returns what has been added since the last time.
func (q *rumors) takeHot() []batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	hot := q.hot
	q.hot = nil
	return hot
}

// setNodes tells how many nodes there are. Alone, there is nobody to tell anything.
func (q *rumors) setNodes(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nodes = n
	if n <= 1 {
		q.waiting, q.hot = nil, nil
	}
}

// ride returns messages to add to a packet that goes out anyway: none longer than limit, and with overhead for each not
// more than limit together. What was told least comes first.
func (q *rumors) ride(overhead, limit int) (messages [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	slices.SortStableFunc(q.waiting, func(a, b *rumor) int { return cmp.Compare(a.sent, b.sent) })
	free := min(limit, packetLimit)
	batches := map[nodeID]*batch{}
	var order []nodeID
	for _, r := range q.waiting {
		need := entrySize(r.entry)
		b := batches[r.writer]
		if b == nil || b.boot != r.boot {
			need += overhead + packetHead
		}
		if need > free || b != nil && b.boot != r.boot {
			continue
		}
		if b == nil {
			b = &batch{writer: r.writer, boot: r.boot}
			batches[r.writer], order = b, append(order, r.writer)
		}
		free -= need
		b.entries = append(b.entries, r.entry)
		r.sent++
	}
	most := sendsPerNews * int(math.Ceil(math.Log10(float64(q.nodes+1))))
	q.waiting = slices.DeleteFunc(q.waiting, func(r *rumor) bool { return r.sent >= most })
	for _, id := range order {
		messages = append(messages, batches[id].encode())
	}
	return messages
}

// packets packs batches into as few messages as fit: one writer in each.
func packets(batches []batch) (messages [][]byte) {
	for _, b := range batches {
		size, from := packetHead, 0
		for i, e := range b.entries {
			if size += entrySize(e); size > packetLimit {
				messages = append(messages, batch{b.writer, b.boot, b.entries[from:i]}.encode())
				size, from = packetHead+entrySize(e), i
			}
		}
		messages = append(messages, batch{b.writer, b.boot, b.entries[from:]}.encode())
	}
	return messages
}

// joined puts batches of one writer and run together, in order, so that they take fewer packets.
func joined(batches []batch) (out []batch) {
	for _, b := range batches {
		last := len(out) - 1
		if last >= 0 && out[last].writer == b.writer && out[last].boot == b.boot {
			out[last].entries = slices.Concat(out[last].entries, b.entries)
			continue
		}
		out = append(out, b)
	}
	return out
}
