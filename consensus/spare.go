package consensus

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// spareConns is how many connections to each voter are open before they are
// needed. A node that is elected needs some to all others at once; to open them
// then, while everybody waits for a new leader, would take longer than all the
// rest.
const spareConns = 2

// A spare connection should be silent. It is listened to for spareConnLook, every
// spareConnTicks ticks.
const (
	spareConnLook  = time.Millisecond
	spareConnTicks = 10
)

// spareList is connections that wait to be used. The zero value is ready.
type spareList struct {
	mu    sync.Mutex
	conns map[raft.ServerAddress][]net.Conn // the one looked at last at the end
}

// put keeps a connection.
func (l *spareList) put(to raft.ServerAddress, c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		l.conns = map[raft.ServerAddress][]net.Conn{}
	}
	l.conns[to] = append(l.conns[to], c)
}

// take returns the connection that was looked at last, or nil.
func (l *spareList) take(to raft.ServerAddress) (c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.conns[to]); n > 0 {
		c, l.conns[to] = l.conns[to][n-1], l.conns[to][:n-1]
	}
	return c
}

// takeOldest returns the connection that was looked at first, or nil.
func (l *spareList) takeOldest(to raft.ServerAddress) (c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns[to]) > 0 {
		c, l.conns[to] = l.conns[to][0], slices.Clone(l.conns[to][1:])
	}
	return c
}

func (l *spareList) count(to raft.ServerAddress) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns[to])
}

// others returns the addresses of connections that are none of these.
func (l *spareList) others(these map[raft.ServerAddress]bool) (list []raft.ServerAddress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for to, conns := range l.conns {
		if !these[to] && len(conns) > 0 {
			list = append(list, to)
		}
	}
	return list
}

// keepSpares replaces spare connections that were used, and listens once in a while
// to those that were not. Only a voter is ever elected.
func (i *instance) keepSpares(ctx context.Context) {
	tick := time.NewTicker(i.o.Timeouts.Tick)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
			i.stock(n%spareConnTicks == 0)
		case <-ctx.Done():
			return
		}
	}
}

// stock sees to it that there are spares to each other voter, and to nobody else.
func (i *instance) stock(listen bool) {
	voters, votes := map[raft.ServerAddress]bool{}, false
	for _, s := range i.servers() {
		voters[raft.ServerAddress(s.addr)] = s.voter && s.id != i.o.ID
		votes = votes || s.voter && s.id == i.o.ID
	}
	if !votes {
		clear(voters)
	}
	spare := &i.layer.spare
	for _, to := range spare.others(voters) {
		for c := spare.take(to); c != nil; c = spare.take(to) {
			_ = c.Close() // it was never used
		}
	}
	for to, wanted := range voters {
		if wanted && listen {
			i.layer.listen(to)
		}
		if wanted {
			i.layer.stock(to, i.o.Timeouts.Heartbeat)
		}
	}
}

// listen drops spares to one address whose other ends have gone.
func (l *streamLayer) listen(to raft.ServerAddress) {
	for range l.spare.count(to) {
		switch c := l.spare.takeOldest(to); {
		case c == nil: // it was needed
		case silent(c):
			l.spare.put(to, c)
		default:
			_ = c.Close()
		}
	}
}

// stock opens as many connections to one address as are missing.
func (l *streamLayer) stock(to raft.ServerAddress, timeout time.Duration) {
	for l.spare.count(to) < spareConns {
		c, err := l.dial(to, timeout)
		if err != nil {
			return // others find out that the node is down
		}
		l.spare.put(to, c)
	}
}

// silent reports whether a connection on which nothing was asked is still open.
func silent(c net.Conn) bool {
	if c.SetReadDeadline(time.Now().Add(spareConnLook)) != nil {
		return false
	}
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Time{}) == nil
}
