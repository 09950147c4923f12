package consensus

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Watermarks of the free space of the disk, in bytes.
const (
	lowSpace  = 64 << 20 // below, the node neither leads nor stands for it
	tinySpace = 16 << 20 // below, it writes nothing any more
)

// freeSpace returns what may still be written to the disk of a folder, in bytes.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// tryFolder makes a file in a folder and removes it, where else the first that
// fails would be the library, which does not say why in a way one can tell. What
// the system says of a disk is not enough: one that has turned read only may
// still pass for another.
func tryFolder(dir string) error {
	f, err := os.CreateTemp(dir, "try.*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
