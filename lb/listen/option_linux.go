package listen

import (
	"net"
	"syscall"
	"time"
)

// Option numbers of Linux that package syscall does not name.
const (
	soReusePort = 15 // SO_REUSEPORT
	tcpFastOpen = 23 // TCP_FASTOPEN
)

// sockopt is one integer socket option to set.
type sockopt struct {
	name          string
	level, option int
	value         int
}

// beforeBind lists the options that decide whether and how an address can be bound.
func (o *Options) beforeBind(network string) []sockopt {
	var list []sockopt
	if network == "tcp6" {
		list = append(list, sockopt{"IPV6_V6ONLY", syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, flag(!o.DualStack)})
	}
	if o.ReusePort && network != "unix" {
		list = append(list, sockopt{"SO_REUSEPORT", syscall.SOL_SOCKET, soReusePort, 1})
	}
	return list
}

// tunable lists the options that may change while a socket is open and whose failure does not matter much.
// Accepted connections inherit all of them.
func (o *Options) tunable(network string) []sockopt {
	var list []sockopt
	if o.RcvBuf > 0 {
		list = append(list, sockopt{"SO_RCVBUF", syscall.SOL_SOCKET, syscall.SO_RCVBUF, o.RcvBuf})
	}
	if o.SndBuf > 0 {
		list = append(list, sockopt{"SO_SNDBUF", syscall.SOL_SOCKET, syscall.SO_SNDBUF, o.SndBuf})
	}
	if network == "unix" {
		return list
	}
	list = append(list, sockopt{"TCP_NODELAY", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1})
	list = append(list, o.KeepAlive.sockopts()...)
	list = append(list, sockopt{"TCP_DEFER_ACCEPT", syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, seconds(o.Deferred)})
	if o.FastOpen > 0 {
		list = append(list, sockopt{"TCP_FASTOPEN", syscall.IPPROTO_TCP, tcpFastOpen, o.FastOpen})
	}
	return list
}

func (k *KeepAlive) sockopts() []sockopt {
	if k.Mode == KeepAliveDefault {
		return nil
	}
	list := []sockopt{{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, flag(k.Mode == KeepAliveOn)}}
	if k.Mode == KeepAliveOff {
		return list
	}
	if k.Idle > 0 {
		list = append(list, sockopt{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, seconds(k.Idle)})
	}
	if k.Interval > 0 {
		list = append(list, sockopt{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, seconds(k.Interval)})
	}
	if k.Count > 0 {
		list = append(list, sockopt{"TCP_KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, k.Count})
	}
	return list
}

func (s *sockopt) set(fd uintptr) error {
	return syscall.SetsockoptInt(int(fd), s.level, s.option, s.value)
}

// tune sets the changeable options and the backlog of an open listener, and reports the options it could not set.
func tune(ln net.Listener, spec *Spec, report func(error)) {
	conn, ok := ln.(syscall.Conn)
	if !ok {
		return // a listener without a descriptor, as tests use
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		report(&OptionError{Option: "*", Name: spec.Name(), Err: err})
		return
	}
	err = raw.Control(func(fd uintptr) {
		for _, opt := range spec.Options.tunable(spec.network()) {
			if err := opt.set(fd); err != nil {
				report(&OptionError{Option: opt.name, Name: spec.Name(), Err: err})
			}
		}
		// A second listen(2) only changes the length of the queue; package net always asks for the longest.
		if err := syscall.Listen(int(fd), spec.Options.backlog()); err != nil {
			report(&OpenError{Call: "listen", Name: spec.Name(), Err: err})
		}
	})
	if err != nil {
		report(&OptionError{Option: "*", Name: spec.Name(), Err: err})
	}
}

// setReusePort lets further sockets be bound to the address of a socket that is already open.
func setReusePort(ln net.Listener) error {
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var set error
	opt := sockopt{"SO_REUSEPORT", syscall.SOL_SOCKET, soReusePort, 1}
	if err := raw.Control(func(fd uintptr) { set = opt.set(fd) }); err != nil {
		return err
	}
	return set
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

// seconds rounds a duration up, so that a small one does not become "off".
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
