package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// tempDigits follow the name and a dot in the names of temporary files, as in
// nginx.
const tempDigits = 10

// tempName makes a name for a file in the making.
func (z *Zone) tempName(key Key) string {
	digits := fmt.Sprintf(".%0*d", tempDigits, rand.Uint32())
	if dir := z.conf.Load().TempPath; dir != "" {
		return filepath.Join(dir, key.String()+digits)
	}
	return z.file(key) + digits
}

// isTemp tells the names of temporary files, and gives their keys.
func isTemp(name string) (key Key, ok bool) {
	base, digits, found := strings.Cut(name, ".")
	if !found || len(digits) != tempDigits || strings.Trim(digits, "0123456789") != "" {
		return key, false
	}
	return parseKey(base)
}

// createTemp creates a file in the making and locks it, which tells loaders,
// of other processes too, that it is in work. One that was quicker than the
// lock has the file; another is made then.
func (z *Zone) createTemp(name func() string) (f *os.File, path string, err error) {
	for try := 0; ; try++ {
		path = name()
		f, err = z.sys.Create(path)
		// On a disk without locks no loader removes anything.
		if err != nil || z.sys.Lock(f) || try == 3 {
			return f, path, err
		}
		_ = f.Close() // it is empty
		if err := z.sys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, path, err
		}
	}
}

// move brings a finished file to its place, by a copy where it comes from
// another disk.
func (z *Zone) move(temp string, key Key) error {
	to := z.file(key)
	err := z.inDirs(key, func() error { return z.sys.Rename(temp, to) })
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if err := z.inDirs(key, func() error { return z.copyFile(temp, to) }); err != nil {
		return err
	}
	return z.sys.Remove(temp)
}

// copyFile copies a file to another disk, where it takes its place at once.
func (z *Zone) copyFile(from, to string) error {
	in, err := z.sys.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, beside, err := z.createTemp(func() string { return fmt.Sprintf("%s.%0*d", to, tempDigits, rand.Uint32()) })
	if err != nil {
		return err
	}
	err = z.copyTo(out, in)
	if err == nil {
		err = z.sys.Rename(beside, to) // before the lock ends
	}
	err = errors.Join(err, out.Close())
	if err != nil {
		return errors.Join(err, z.sys.Remove(beside))
	}
	return nil
}

func (z *Zone) copyTo(out, in *os.File) error {
	buf := z.buffer()
	defer z.buffers.Put(buf)
	for at := int64(0); ; {
		n, err := in.ReadAt(buf[:], at)
		if n > 0 {
			if err := z.sys.WriteAt(out, buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
