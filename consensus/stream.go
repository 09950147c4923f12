package consensus

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// streamMux gives the connections of a Stream, which lasts, to the instance of
// Raft that runs, of which there may be several one after the other.
type streamMux struct {
	stream Stream
	mu     sync.Mutex
	layer  *streamLayer // nil: connections are closed
	done   sync.WaitGroup
}

func newStreamMux(s Stream) *streamMux {
	m := &streamMux{stream: s}
	m.done.Go(m.accept)
	return m
}

func (m *streamMux) accept() {
	for {
		c, err := m.stream.Accept()
		if err != nil {
			return // it is closed
		}
		m.mu.Lock()
		layer := m.layer
		m.mu.Unlock()
		if layer == nil || !layer.offer(c) {
			_ = c.Close() // the other side dials again
		}
	}
}

func (m *streamMux) close() {
	_ = m.stream.Close() // nothing is left to be done if that fails
	m.done.Wait()
}

// open returns the layer of a new instance, which gets the connections from now
// on.
func (m *streamMux) open(addr string) *streamLayer {
	l := &streamLayer{mux: m, addr: raftAddr(addr), accepted: make(chan net.Conn), closed: make(chan struct{}), conns: map[*layerConn]struct{}{}}
	m.mu.Lock()
	m.layer = l
	m.mu.Unlock()
	return l
}

// raftAddr is the address by which others know this node.
type raftAddr string

func (raftAddr) Network() string  { return "tcp" }
func (a raftAddr) String() string { return string(a) }

// streamLayer is the raft.StreamLayer of one instance. Closing it closes its
// connections, so that others see the instance end.
type streamLayer struct {
	mux      *streamMux
	addr     raftAddr
	accepted chan net.Conn
	closed   chan struct{}
	mu       sync.Mutex
	conns    map[*layerConn]struct{} // nil when closed
	spare    spareList               // that were dialled before they are needed
	broken   bell                    // rings when a connection has ended that another node opened
}

// layerConn is a connection that its layer can close.
type layerConn struct {
	net.Conn
	layer    *streamLayer
	accepted bool
}

// Close closes the connection.
func (c *layerConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.conns, c)
	c.layer.mu.Unlock()
	if c.accepted {
		c.layer.broken.ring()
	}
	return c.Conn.Close()
}

func (l *streamLayer) keep(c net.Conn, accepted bool) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = c.Close() // it is not used
		return nil, net.ErrClosed
	}
	kept := &layerConn{c, l, accepted}
	l.conns[kept] = struct{}{}
	return kept, nil
}

// offer hands a connection to Accept.
func (l *streamLayer) offer(c net.Conn) bool {
	select {
	case l.accepted <- c:
		return true
	case <-l.closed:
		return false
	}
}

// Accept is that of net.Listener.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return l.keep(c, true)
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the address by which others know this node.
func (l *streamLayer) Addr() net.Addr { return l.addr }

// Dial is that of raft.StreamLayer.
func (l *streamLayer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if c := l.spare.take(to); c != nil {
		return c, nil
	}
	return l.dial(to, timeout)
}

func (l *streamLayer) dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	go func() { // a dial that hangs must not outlive the instance
		select {
		case <-l.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	c, err := l.mux.stream.Dial(ctx, string(to))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	return l.keep(c, false)
}

// Close ends the layer and its connections.
func (l *streamLayer) Close() error {
	l.mux.mu.Lock()
	if l.mux.layer == l {
		l.mux.layer = nil
	}
	l.mux.mu.Unlock()
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	if conns == nil {
		return nil
	}
	close(l.closed)
	for c := range conns {
		_ = c.Conn.Close() // nobody reads from it any more
	}
	return nil
}
