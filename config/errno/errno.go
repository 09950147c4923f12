// Package errno words errors of the operating system as nginx's logs do: the
// number, and the C library's text, "2: No such file or directory". Users
// search for these texts, so every part of weir takes them from here.
package errno

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// Error is a system error with nginx's text. errors.Is and errors.As find the
// syscall.Errno in it.
type Error syscall.Errno

// Error returns number and text, "111: Connection refused".
func (e Error) Error() string { return strconv.Itoa(int(e)) + ": " + capital(syscall.Errno(e)) }

// Unwrap returns the number.
func (e Error) Unwrap() error { return syscall.Errno(e) }

// Of reduces err to the system error within it, without the operation and the
// file, which the message around it names. Other errors stay as they are.
func Of(err error) error {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return Error(no)
	}
	return err
}

// Text returns the text of Of(err).
func Text(err error) string { return Of(err).Error() }

// Bare is Text without the number, as OpenSSL's errors end.
func Bare(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return capital(no)
	}
	return err.Error()
}

// capital returns the C library's text, whose first letter Go has in lower case.
func capital(no syscall.Errno) string {
	text := no.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
