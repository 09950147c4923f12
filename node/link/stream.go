package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// dialTimeout bounds a dial whose context has no deadline.
const dialTimeout = 5 * time.Second

// Conn is a connection to another node, whose handshake is done.
type Conn struct {
	*tls.Conn
	link  *Link
	peer  Peer
	admit func(Peer) error // whether the node at the other end may go on
	waits time.Time        // since when it waits for the next call
}

// Peer is the node at the other end.
func (c *Conn) Peer() Peer { return c.peer }

// Close ends the connection.
func (c *Conn) Close() error {
	c.link.drop(c)
	return c.Conn.Close()
}

// Stream is one protocol of the port: a net.Listener of the connections that
// other nodes open for it, and a way to open them. Connections are [*Conn].
type Stream struct {
	link     *Link
	protocol string
	accepted chan *Conn
	once     sync.Once
	closed   chan struct{}
}

// streamBacklog is how many connections may wait for Accept.
const streamBacklog = 64

func newStream(l *Link, protocol string) *Stream {
	return &Stream{link: l, protocol: protocol, accepted: make(chan *Conn, streamBacklog), closed: make(chan struct{})}
}

// Accept waits for a connection.
func (s *Stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.closed:
	case <-s.link.ctx.Done():
	}
	return nil, net.ErrClosed
}

// Close ends Accept, and takes no further connections. Those that were accepted
// go on.
func (s *Stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr is the address of the port.
func (s *Stream) Addr() net.Addr { return s.link.o.Listener.Addr() }

// offer hands a connection to Accept, or closes it if nobody accepts.
func (s *Stream) offer(c *Conn) {
	select {
	case <-s.closed:
	case <-s.link.ctx.Done():
	default:
		select {
		case s.accepted <- c:
			return
		default:
		}
	}
	_ = c.Close() // the other side dials again
}

// Dial opens a connection to the node whose port has the address addr. If that
// node refuses, the error is a [*RefusedError].
func (s *Stream) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := s.link.dial(ctx, addr, s.protocol)
	if err != nil {
		return nil, err // not c: a nil *Conn would be no nil net.Conn
	}
	return c, nil
}

// RefusedError says that a node does not want to be connected.
type RefusedError struct {
	Addr   string
	Reason string // in the words of that node
}

// Error names the address and the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("%s refuses: %s", e.Addr, e.Reason) }

// dial opens a connection for a protocol and waits to be greeted.
func (l *Link) dial(ctx context.Context, addr, protocol string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	d := net.Dialer{LocalAddr: l.source(addr)}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		failed.Source = nil // it says nothing: the port has not been chosen
	}
	if err != nil {
		return nil, fmt.Errorf("node at %s: %w", addr, err)
	}
	c := &Conn{link: l, admit: l.o.Admit}
	c.Conn = tls.Client(raw, l.tlsConfig(&c.peer, protocol))
	if err := l.meet(ctx, c, addr); err != nil {
		return nil, errors.Join(fmt.Errorf("node at %s: %w", addr, err), closeQuietly(raw))
	}
	return c, nil
}

// source is where connections to another node come from: the address at which
// the link listens, by which others know the node, also where its machine has
// more of them. Nil: the system chooses.
func (l *Link) source(to string) net.Addr {
	own, ok := l.o.Listener.Addr().(*net.TCPAddr)
	at, err := netip.ParseAddrPort(to)
	if !ok || own.IP.IsUnspecified() || err != nil || at.Addr().Unmap().Is4() != (own.IP.To4() != nil) {
		return nil
	}
	return &net.TCPAddr{IP: own.IP, Zone: own.Zone}
}

// closeQuietly closes a connection that has failed already.
func closeQuietly(c net.Conn) error {
	_ = c.Close() // the failure before says more
	return nil
}

// meet does the handshake of a connection that was dialled.
func (l *Link) meet(ctx context.Context, c *Conn, addr string) error {
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	if err := c.admit(c.peer); err != nil {
		return fmt.Errorf("it is node %s: %w", c.peer.ID, err)
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	greeting, err := readFrame(c)
	if err != nil {
		return err
	}
	status, reason, err := decodeAnswer(greeting)
	if err == nil && status != statusDone {
		err = &RefusedError{addr, string(reason)}
	}
	return errors.Join(err, c.SetDeadline(time.Time{}), l.keep(c))
}
