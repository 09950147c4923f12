package listen

import (
	"net/netip"
	"time"
)

// DefaultBacklog is the length of the accept queue of a socket whose [Options] give none, as in nginx on Linux.
const DefaultBacklog = 511

// Spec describes one address on which virtual servers listen.
type Spec struct {
	// Addr is the IP address and port. It is left zero for a unix socket. "*:80" is written 0.0.0.0:80.
	Addr netip.AddrPort
	// Path is the file name of a unix socket, or empty.
	Path string
	// Bind asks for a socket of its own even though a wildcard address is listed for the same port. Linux refuses the pair,
	// so the opening then fails just as in nginx. It is to be set for every address that has socket options in the configuration.
	Bind bool
	// Options are the socket options of the address.
	Options Options
}

// Options are the options of a listening socket. The zero value holds nginx's defaults.
type Options struct {
	Backlog   int           // length of the accept queue; 0 is DefaultBacklog
	ReusePort bool          // one socket per processor, the kernel spreading connections over them
	DualStack bool          // an IPv6 wildcard takes IPv4 connections too (ipv6only=off)
	KeepAlive KeepAlive     // TCP keepalive of accepted connections
	Deferred  time.Duration // accept only once data has arrived, giving up after this time; 0 accepts at once
	FastOpen  int           // length of the TCP Fast Open queue; 0 is off
	RcvBuf    int           // SO_RCVBUF in bytes; 0 leaves the system's size
	SndBuf    int           // SO_SNDBUF in bytes; 0 leaves the system's size
	Multipath bool          // Multipath TCP
}

// KeepAlive is the so_keepalive parameter of a listening socket.
type KeepAlive struct {
	Mode     KeepAliveMode
	Idle     time.Duration // silence before the first probe; 0 is the system's value
	Interval time.Duration // time between probes; 0 is the system's value
	Count    int           // unanswered probes before the connection is dropped; 0 is the system's value
}

// KeepAliveMode says whether accepted connections are probed.
type KeepAliveMode uint8

// The modes of TCP keepalive. The default leaves the socket as the system makes it, which on Linux means off.
const (
	KeepAliveDefault KeepAliveMode = iota
	KeepAliveOn
	KeepAliveOff
)

// Name returns the address as nginx prints it: "0.0.0.0:80", "[::1]:80" or "unix:/run/weir.sock".
// Two specs with the same name mean the same socket.
func (s *Spec) Name() string {
	if s.Path != "" {
		return "unix:" + s.Path
	}
	return s.Addr.String()
}

// network returns the name package net has for the address family.
func (s *Spec) network() string {
	switch {
	case s.Path != "":
		return "unix"
	case s.Addr.Addr().Is4():
		return "tcp4"
	default:
		return "tcp6"
	}
}

func (s *Spec) wildcard() bool { return s.Path == "" && s.Addr.Addr().IsUnspecified() }

func (o *Options) backlog() int {
	if o.Backlog == 0 {
		return DefaultBacklog
	}
	return o.Backlog
}
