package node

import (
	"errors"
	"fmt"
	"syscall"
)

// openError words a failure to open a file as nginx does.
func openError(name string, err error) error {
	return fmt.Errorf("open() \"%s\" failed (%s)", name, errnoText(err))
}

// errnoText gives the number and text of a system error, "2: No such file or
// directory", which is what users search for.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := []byte(errno.Error())
	if len(text) > 0 && 'a' <= text[0] && text[0] <= 'z' {
		text[0] -= 'a' - 'A' // Go spells these texts in lower case
	}
	return fmt.Sprintf("%d: %s", int(errno), text)
}
