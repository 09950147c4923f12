package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Socket is one address being listened on. With reuseport it stands for several descriptors. It lives as long as its address
// stays configured, over any number of reloads; its methods are safe for use by many goroutines.
type Socket struct {
	name  string
	path  string   // of a unix socket
	addr  net.Addr // really bound
	lanes []*lane  // guarded by the set's mutex
}

// lane is one listening descriptor with its accepting goroutine.
type lane struct {
	ln        net.Listener  // a *listener
	inherited bool          // made by a predecessor process, not by this one
	stop      chan struct{} // closed when accepting shall end
	stopped   chan struct{} // closed when the accepting goroutine is gone; nil while there is none
}

// Name returns the address as nginx prints it, for example "0.0.0.0:80".
func (s *Socket) Name() string { return s.name }

// Addr returns the address really bound, which tells the port when port 0 was asked for.
func (s *Socket) Addr() net.Addr { return s.addr }

// open makes one listening descriptor for the spec.
func open(spec *Spec, r *reaper) (net.Listener, error) {
	address := spec.Path
	if address == "" {
		address = spec.Addr.String()
	} else if address[0] == '@' {
		address = "./" + address // package net would read the sign as Linux's abstract name space
	}
	lc := net.ListenConfig{
		KeepAlive: -1, // inherited from the listener, see Options.tunable
		Control: func(network, _ string, raw syscall.RawConn) error {
			return controlBeforeBind(spec, raw)
		},
	}
	lc.SetMultipathTCP(spec.Options.Multipath)
	ln, err := lc.Listen(context.Background(), spec.network(), address)
	if err != nil {
		return nil, openError(spec.Name(), err)
	}
	own, err := adopt(ln, r)
	if err != nil {
		return nil, errors.Join(openError(spec.Name(), err), removeFile(spec.Path))
	}
	if spec.Path != "" {
		if err := os.Chmod(address, 0o666); err != nil {
			return nil, errors.Join(fmt.Errorf("chmod() %q failed: %w", address, err), ln.Close(), os.Remove(address))
		}
	}
	return own, nil
}

func controlBeforeBind(spec *Spec, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for _, opt := range spec.Options.beforeBind(spec.network()) {
			if err := opt.set(fd); err != nil && failed == nil {
				failed = &OpenError{Call: "setsockopt(" + opt.name + ")", Name: spec.Name(), Err: err}
			}
		}
	})
	return errors.Join(err, failed)
}

// openLanes brings a socket to n descriptors and returns those it opened. On failure it leaves the socket as it was.
func (s *Socket) openLanes(spec *Spec, n int, r *reaper) ([]*lane, error) {
	var opened []*lane
	if len(s.lanes) > 0 && len(s.lanes) < n {
		if err := setReusePort(s.lanes[0].ln); err != nil {
			return nil, &OpenError{Call: "setsockopt(SO_REUSEPORT)", Name: spec.Name(), Err: err}
		}
	}
	bound := *spec
	for len(s.lanes)+len(opened) < n {
		ln, err := open(&bound, r)
		if err != nil {
			return nil, errors.Join(err, closeLanes(opened))
		}
		opened = append(opened, &lane{ln: ln})
		if tcp, ok := ln.Addr().(*net.TCPAddr); ok && bound.Addr.Port() == 0 {
			bound.Addr = tcp.AddrPort() // further descriptors of a socket on "any port" must share the port found
		}
	}
	return opened, nil
}

// run starts the accepting goroutine of a lane.
func (l *lane) run(s *Socket, accept func(net.Conn, *Socket), report func(error)) {
	if l.stopped != nil {
		return
	}
	if err := setNonblock(l.ln); err != nil {
		report(&OptionError{Option: "O_NONBLOCK", Name: s.Name(), Err: err})
		return // it could block the whole process
	}
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.stopped)
		l.accept(s, accept, report)
	}()
}

// halt ends accepting and waits for the goroutine to be gone. The descriptor stays open and the kernel goes on queueing.
func (l *lane) halt() error {
	if l.stopped == nil {
		return nil
	}
	close(l.stop)
	var err error
	if d, ok := l.ln.(interface{ SetDeadline(time.Time) error }); ok {
		err = d.SetDeadline(time.Unix(1, 0))
		<-l.stopped
		err = errors.Join(err, d.SetDeadline(time.Time{}))
	}
	l.stopped = nil
	return err
}

// close ends accepting and closes the descriptor. Connections still in the kernel's queue are reset.
func (l *lane) close() error {
	if l.stopped != nil {
		close(l.stop)
	}
	err := l.ln.Close()
	if l.stopped != nil {
		<-l.stopped
		l.stopped = nil
	}
	return err
}

func closeLanes(lanes []*lane) error {
	var errs []error
	for _, l := range lanes {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// close closes every descriptor, and with unlink removes the file of a unix socket.
func (s *Socket) close(unlink bool) error {
	err := closeLanes(s.lanes)
	if unlink {
		err = errors.Join(err, removeFile(s.path))
	}
	return err
}

// removeFile removes the file of a unix socket; an empty path, that of any other socket, is nothing to remove.
func removeFile(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("unlink() failed: %w", err)
	}
	return nil
}
