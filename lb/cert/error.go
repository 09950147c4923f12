package cert

import (
	"fmt"

	"github.com/weir-lb/weir/config/errno"
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
func readReason(err error) string { return "system library::" + errno.Bare(err) }

// openFailed words a file that nginx itself opens: open() "F" failed (2: No such file or directory).
func openFailed(file string, err error) error {
	return fmt.Errorf("open() %q failed (%w)", file, errno.Of(err))
}
