package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/weir-lb/weir/config/errno"
)

// OpenError says that one address could not be opened. Its text is nginx's.
type OpenError struct {
	Call string // the failing system call, such as "bind" or "setsockopt(SO_REUSEPORT)"
	Name string // the address, as Spec.Name gives it
	Err  error  // usually a syscall.Errno
}

// Error returns for example "bind() to 0.0.0.0:80 failed (98: Address already in use)".
func (e *OpenError) Error() string {
	call := e.Call
	switch {
	case call == "bind" || call == "listen":
		call += "() to"
	case !strings.HasSuffix(call, ")"):
		call += "()"
	}
	return fmt.Sprintf("%s %s failed (%s)", call, e.Name, errno.Text(e.Err))
}

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// OptionError says that an option could not be set on a socket that is open; the socket works without it.
type OptionError struct {
	Option string // such as "SO_RCVBUF"
	Name   string // the address of the socket
	Err    error
}

// Error returns for example "setsockopt(TCP_FASTOPEN) 0.0.0.0:80 failed, ignored (92: Protocol not available)".
func (e *OptionError) Error() string {
	return fmt.Sprintf("setsockopt(%s) %s failed, ignored (%s)", e.Option, e.Name, errno.Text(e.Err))
}

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }

// AcceptError says that accepting on a socket is interrupted; it goes on after a pause. It is reported once per condition,
// not once per attempt.
type AcceptError struct {
	Name string // the address of the socket
	Err  error
}

// Error returns for example "accept4() on 0.0.0.0:80 failed (24: Too many open files)".
func (e *AcceptError) Error() string {
	return fmt.Sprintf("accept4() on %s failed (%s)", e.Name, errno.Text(e.Err))
}

// Unwrap returns the cause.
func (e *AcceptError) Unwrap() error { return e.Err }

// openError turns an error of package net into an OpenError that names the failing system call.
func openError(name string, err error) error {
	var open *OpenError
	if errors.As(err, &open) {
		return open
	}
	e := &OpenError{Call: "bind", Name: name, Err: err}
	var sys *os.SyscallError
	var op *net.OpError
	switch {
	case errors.As(err, &sys):
		e.Call, e.Err = sys.Syscall, sys.Err
	case errors.As(err, &op):
		e.Err = op.Err
	}
	return e
}
