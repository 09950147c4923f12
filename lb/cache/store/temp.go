package store

import (
	"errors"
	"fmt"
	"io"
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

// move brings a finished file to its place, by a copy where it comes from
// another disk.
func (z *Zone) move(temp string, key Key) error {
	to := z.file(key)
	err := z.inDirs(key, func() error { return z.sys.Rename(temp, to) })
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	beside := fmt.Sprintf("%s.%0*d", to, tempDigits, rand.Uint32())
	if err := z.inDirs(key, func() error { return z.copyFile(temp, beside) }); err != nil {
		return err
	}
	if err := z.sys.Rename(beside, to); err != nil {
		return errors.Join(err, z.sys.Remove(beside))
	}
	return z.sys.Remove(temp)
}

// copyFile copies a file to a new one, which is removed again if that fails.
func (z *Zone) copyFile(from, to string) error {
	in, err := z.sys.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := z.sys.Create(to)
	if err != nil {
		return err
	}
	if err = z.copyTo(out, in); err == nil {
		err = out.Close()
	} else {
		err = errors.Join(err, out.Close())
	}
	if err != nil {
		return errors.Join(err, z.sys.Remove(to))
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
