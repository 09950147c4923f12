package gossip

import (
	"errors"
	"net"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

const (
	streamLimit  = 4 << 20 // bytes of one stream of the membership port: thousands of nodes
	streamsAtOne = 64      // such streams at a time
)

var errOversized = errors.New("stream is longer than any of ours")

// bounded is memberlist's transport with limits for what strangers can make it hold: it reads a stream into memory
// before it knows whether the other side has the key.
type bounded struct {
	memberlist.NodeAwareTransport
	streams chan net.Conn
	open    atomic.Int64
	done    chan struct{}
}

func bound(t memberlist.NodeAwareTransport) *bounded {
	b := &bounded{NodeAwareTransport: t, streams: make(chan net.Conn), done: make(chan struct{})}
	go b.run()
	return b
}

func (b *bounded) run() {
	for {
		select {
		case conn := <-b.NodeAwareTransport.StreamCh():
			if b.open.Add(1) > streamsAtOne {
				b.open.Add(-1)
				conn.Close()
				continue
			}
			select {
			case b.streams <- &boundedConn{Conn: conn, left: streamLimit, owner: b}:
			case <-b.done:
				conn.Close()
			}
		case <-b.done:
			return
		}
	}
}

// StreamCh is that of memberlist.Transport.
func (b *bounded) StreamCh() <-chan net.Conn { return b.streams }

// Shutdown is that of memberlist.Transport.
func (b *bounded) Shutdown() error {
	err := b.NodeAwareTransport.Shutdown()
	close(b.done)
	return err
}

// boundedConn ends a stream that becomes too long.
type boundedConn struct {
	net.Conn
	left   int
	owner  *bounded
	closed atomic.Bool
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errOversized
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *boundedConn) Close() error {
	if !c.closed.Swap(true) {
		c.owner.open.Add(-1)
	}
	return c.Conn.Close()
}
