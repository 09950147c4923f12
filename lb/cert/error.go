package cert

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Texts of the OpenSSL errors that nginx users look for.
const (
	noStartLine   = "PEM routines::no start line"
	keyMismatch   = "x509 certificate routines::key values mismatch"
	typeMismatch  = "x509 certificate routines::key type mismatch"
	badDecrypt    = "Provider routines::bad decrypt"
	noPassword    = "PEM routines::problems getting password: the key is encrypted and no ssl_password_file is given"
	unsupported   = "DECODER routines::unsupported"
	noCipherMatch = "SSL routines::no cipher match"
	noCertInFile  = "x509 certificate routines::no certificate or crl found"
)

// failed words an error as nginx words a failing call of OpenSSL.
func failed(call, reason string) error { return fmt.Errorf("%s failed (SSL: error:%s)", call, reason) }

// readReason turns an error of reading a file into OpenSSL's words: "system library::No such file or directory".
func readReason(err error) string { return "system library::" + errnoText(err) }

// openFailed words a file that nginx itself opens: open() "F" failed (2: No such file or directory).
func openFailed(file string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Errorf("open() %q failed (%d: %s)", file, int(errno), errnoText(err))
	}
	return fmt.Errorf("open() %q failed: %w", file, err)
}

// errnoText returns the C library's text of an error number, or the error's own text.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error() // the C library's text, but for the case of its first letter
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
