package node

import (
	"fmt"

	"github.com/weir-lb/weir/config/errno"
)

// openError words a failure to open a file as nginx does.
func openError(name string, err error) error {
	return fmt.Errorf("open() \"%s\" failed (%s)", name, errno.Text(err))
}
