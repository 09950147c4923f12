package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Bounds of connections that have not shown yet who they are of.
const (
	maxHandshakes    = 64 // at a time; one more ends the oldest
	handshakeTimeout = 5 * time.Second
	acceptPause      = 50 * time.Millisecond // after an error of accept, such as too many open files
)

// accept takes connections until the listener is closed.
func (l *Link) accept() {
	for {
		c, err := l.o.Listener.Accept()
		switch {
		case err == nil && !l.allows(c):
			_ = c.Close() // nobody is there to be told
		case err == nil:
			l.served.Go(func() { l.serve(c) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.refusals.add("", fmt.Errorf("accept: %w", err), time.Now())
			select {
			case <-time.After(acceptPause):
			case <-l.ctx.Done():
				return
			}
		}
	}
}

// allows reports whether a connection comes from an address that may speak, and
// tells if not. Nothing has been read of it yet.
func (l *Link) allows(raw net.Conn) bool {
	if l.o.Allow == nil {
		return true
	}
	if at, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err == nil && l.o.Allow(at.Addr()) {
		return true
	}
	l.outside.Add(1)
	l.refusals.add(hostOf(raw), errOutside, time.Now())
	return false
}

var errOutside = errors.New("its address is not allowed")

// serve leads a connection from its handshake to where it belongs.
func (l *Link) serve(raw net.Conn) {
	if !l.begin(raw) {
		_ = raw.Close() // nobody is there to be told
		return
	}
	c, protocol, err := l.handshake(raw)
	l.finish(raw)
	if err != nil {
		_ = raw.Close()
		l.refuse(raw, err)
		return
	}
	switch protocol {
	case protocolRaft:
		l.raft.offer(c)
	case protocolSync:
		l.sync.offer(c)
	default:
		l.answerCalls(c)
	}
}

// begin counts a handshake. When there are too many, the oldest gives way: one
// of a node takes milliseconds.
func (l *Link) begin(raw net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if len(l.handshakes) >= maxHandshakes {
		_ = l.handshakes[0].Close() // its own goroutine notices
		l.handshakes = slices.Delete(l.handshakes, 0, 1)
	}
	l.handshakes = append(l.handshakes, raw)
	return true
}

func (l *Link) finish(raw net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.handshakes, raw); i >= 0 {
		l.handshakes = slices.Delete(l.handshakes, i, i+1)
	}
}

// handshake finds out who has connected and what for, and greets.
func (l *Link) handshake(raw net.Conn) (c *Conn, protocol string, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	c = &Conn{link: l, admit: l.o.Admit}
	t := tls.Server(raw, l.tlsConfig(&c.peer, protocolCall, protocolRaft, protocolSync))
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	c.Conn = t
	if protocol = t.ConnectionState().NegotiatedProtocol; protocol == "" {
		return nil, "", errors.New("it names no protocol")
	}
	if err := t.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, "", err
	}
	if protocol == protocolCall {
		c.admit = l.o.AdmitCaller
	}
	if err := c.admit(c.peer); err != nil {
		err = fmt.Errorf("node %s: %w", c.peer.ID, err)
		return nil, "", errors.Join(err, writeFrame(t, encodeAnswer(statusRefused, []byte(err.Error()))), t.Close())
	}
	if err := writeFrame(t, encodeAnswer(statusDone, nil)); err != nil {
		return nil, "", err
	}
	if err := errors.Join(t.SetDeadline(time.Time{}), l.keep(c)); err != nil {
		return nil, "", err
	}
	return c, protocol, nil
}

// refuse tells why a connection came to nothing. One that was closed without a
// word wanted to know whether the port is open, and the link's own end is none
// of the other side's doing.
func (l *Link) refuse(raw net.Conn, err error) {
	var notTLS tls.RecordHeaderError
	var told *net.OpError
	switch {
	case errors.Is(err, io.EOF) || l.ctx.Err() != nil:
		return
	case errors.As(err, &notTLS):
		err = errors.New("it speaks no TLS")
	case errors.As(err, &told) && told.Op == "remote error":
		err = fmt.Errorf("it refuses this node's certificate, since it has another cluster secret or another cluster's name (%w)", told.Err)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("its handshake was not done within %s", handshakeTimeout)
	case errors.Is(err, net.ErrClosed):
		err = errors.New("its handshake gave way to later ones")
	}
	l.refusals.add(hostOf(raw), err, time.Now())
}

// hostOf is the address of the other end, without port.
func hostOf(c net.Conn) string {
	address := c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
