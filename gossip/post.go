package gossip

import (
	"encoding/binary"
	"sync"
)

const (
	outboxLimit = 4 << 20 // bytes that wait for one member: about 120,000 sessions
	postLimit   = 32 << 10
)

// post is something sent to one member, kept until it is acknowledged.
type post struct {
	seq   uint64
	frame []byte
	size  int // in sessions, for the count of what was dropped
}

// outbox holds what is on its way to one member, in order. What has not been acknowledged is sent again after a broken
// connection. It may be used by many goroutines.
type outbox struct {
	mu    sync.Mutex
	posts []post
	sent  int // how many of posts are with the connection in use
	bytes int
	last  uint64
}

// letter is what a post brings.
type letter struct {
	kind    uint8
	payload []byte
	size    int // in sessions
}

// put adds letters, or none of them if there is no room for all.
func (o *outbox) put(letters []letter) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	total := 0
	for _, l := range letters {
		total += len(l.payload)
	}
	if o.bytes+total > outboxLimit {
		return false
	}
	for _, l := range letters {
		o.last++
		f := binary.AppendUvarint(frame(framePost), o.last)
		f = seal(append(append(f, l.kind), l.payload...))
		o.posts = append(o.posts, post{o.last, f, l.size})
		o.bytes += len(f)
	}
	return true
}

// take returns some frames that the connection in use has not been given yet.
func (o *outbox) take() (frames [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for size := 0; o.sent < len(o.posts) && size < deltaLimit; o.sent++ {
		frames = append(frames, o.posts[o.sent].frame)
		size += len(o.posts[o.sent].frame)
	}
	return frames
}

// acknowledge lets go of all posts up to one, and tells how many sessions that
// were.
func (o *outbox) acknowledge(seq uint64) (sessions int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for n < len(o.posts) && o.posts[n].seq <= seq {
		o.bytes -= len(o.posts[n].frame)
		sessions += o.posts[n].size
		n++
	}
	o.posts = o.posts[n:]
	o.sent = max(o.sent-n, 0)
	return sessions
}

// resume begins anew on another connection, whose other end has all posts up to one. It
// tells how many sessions that has acknowledged.
func (o *outbox) resume(seq uint64) (sessions int) {
	sessions = o.acknowledge(seq)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = 0
	return sessions
}

// waits reports whether something has not been acknowledged.
func (o *outbox) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.posts) > 0
}

// clear drops all and tells how many sessions that were.
func (o *outbox) clear() (sessions int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	sessions = o.held()
	o.posts, o.sent, o.bytes = nil, 0, 0
	return sessions
}

// sessions tells how many have not been acknowledged.
func (o *outbox) sessions() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held()
}

// held is sessions; the lock is held.
func (o *outbox) held() (sessions int) {
	for _, p := range o.posts {
		sessions += p.size
	}
	return sessions
}

// inboxes remember the last post of each member's run, so that one that comes again is told from a new one.
type inboxes struct {
	mu   sync.Mutex
	last map[nodeID]mark
}

// lastOf is the number of the last post of a run.
func (i *inboxes) lastOf(id nodeID, boot uint64) uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if m := i.last[id]; m.boot == boot {
		return m.seq
	}
	return 0
}

// accept notes a post and reports whether it is new.
func (i *inboxes) accept(id nodeID, m mark) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := i.last[id]
	if !known.before(m) {
		return false
	}
	i.last[id] = m
	return true
}

// keep forgets all members that are not among those known.
func (i *inboxes) keep(known func(nodeID) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id := range i.last {
		if !known(id) {
			delete(i.last, id)
		}
	}
}
