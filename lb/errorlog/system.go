package errorlog

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// System returns an error of the operating system in the form that stands in
// nginx's logs, such as "2: No such file or directory", without the operation
// and the file, which the message around it names. Other errors stay as they
// are. The error is still found by errors.Is and errors.As.
func System(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return systemError{errno}
	}
	return err
}

type systemError struct{ errno syscall.Errno }

// Error writes the number and the text, which in C begins with a capital.
func (e systemError) Error() string {
	text := e.errno.Error()
	return strconv.Itoa(int(e.errno)) + ": " + strings.ToUpper(text[:1]) + text[1:]
}

// Unwrap returns the error number.
func (e systemError) Unwrap() error { return e.errno }
