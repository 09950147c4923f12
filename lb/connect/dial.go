package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// Profile tells how connections are made. Two exchanges may share an idle
// connection when their profiles have the same Key; it is the caller's to make
// it say all that matters.
type Profile struct {
	Key       string
	TLS       *tls.Config // nil: plain; for Join it must offer "h2" by ALPN
	Bind      netip.AddrPort
	Keepalive bool // TCP keepalive probes (proxy_socket_keepalive)

	Transparent bool // Bind may be an address of another machine

	// Patient connections are for exchanges that may be over a little later than
	// the reply is there, and cost less for it: see patientConn. It holds for
	// plain TCP without Bind and Keepalive; others are as ever.
	Patient bool
}

// Dial connects to a peer before ctx ends, the TLS handshake included, which
// has the limit handshake of its own.
func Dial(ctx context.Context, p *upstream.Peer, f *Profile, handshake time.Duration) (*Conn, error) {
	c := &Conn{Peer: p, profile: f, born: wire.Now()}
	if err := dial(ctx, &c.Stream, p, f, handshake); err != nil {
		return nil, err
	}
	return c, nil
}

// dial is Dial for a stream of any use.
func dial(ctx context.Context, s *wire.Stream, p *upstream.Peer, f *Profile, limit time.Duration) error {
	nc, err := dialSocket(ctx, &p.Addr, f)
	if err != nil {
		return dialError(err)
	}
	if err := s.Init(nc); err != nil {
		return errors.Join(err, nc.Close())
	}
	if f.TLS != nil {
		if err := handshake(ctx, s, f.TLS, limit); err != nil {
			return errors.Join(err, nc.Close())
		}
	}
	return nil
}

// dialSocket connects a socket.
func dialSocket(ctx context.Context, to *upstream.Addr, f *Profile) (net.Conn, error) {
	if to.Path == "" && !f.Bind.IsValid() && !f.Keepalive && to.AddrPort.Addr().Zone() == "" {
		return dialTCP(ctx, to.AddrPort, f.Patient && f.TLS == nil)
	}
	d := net.Dialer{KeepAlive: -1}
	if f.Keepalive {
		d.KeepAlive = 0
	}
	if to.Path != "" {
		return d.DialContext(ctx, "unix", to.Path)
	}
	if f.Bind.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(f.Bind)
		if f.Transparent {
			d.Control = beTransparent
		}
	}
	return d.DialContext(ctx, "tcp", to.AddrPort.String())
}

// handshake runs over a Feed, so that the socket's own limits hold.
func handshake(ctx context.Context, s *wire.Stream, cfg *tls.Config, limit time.Duration) error {
	stop := context.AfterFunc(ctx, s.Interrupt)
	defer stop()
	if err := s.StartTLS(cfg, false, limit); err != nil {
		if errors.Is(err, wire.ErrTimeout) || errors.Is(err, wire.ErrInterrupted) {
			return err
		}
		return &HandshakeError{err}
	}
	return nil
}

// HandshakeError is a TLS handshake that failed for another reason than time.
type HandshakeError struct{ Err error }

// Error returns the reason.
func (e *HandshakeError) Error() string { return "SSL_do_handshake() failed: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// dialError reduces an error of the net package to what the log needs.
func dialError(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return wire.ErrTimeout
	case errors.Is(err, context.Canceled):
		return wire.ErrInterrupted
	}
	return fmt.Errorf("connect() failed (%w)", errno.Of(err))
}
