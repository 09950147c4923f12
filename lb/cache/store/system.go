package store

import (
	"io/fs"
	"os"
	"syscall"
)

// system is what the store asks of the operating system; tests put one in its
// place whose disk is full.
type system interface {
	Open(path string) (*os.File, error)
	// Change opens a file of ours for a new header.
	Change(path string) (*os.File, error)
	// Create makes a file that must not exist.
	Create(path string) (*os.File, error)
	WriteAt(f *os.File, p []byte, offset int64) error
	// Reserve takes room for a file beforehand, where the system can.
	Reserve(f *os.File, size int64) error
	Rename(from, to string) error
	Remove(path string) error
	Mkdir(path string) error
	// MkdirAll makes the directories above as well, and is content with one
	// that is there.
	MkdirAll(path string) error
	ReadFile(path string) ([]byte, error)
	// Lock tells whether an open file is nobody else's at the moment and still
	// has its name, and keeps it so until it is closed.
	Lock(f *os.File) bool
	// Free returns the bytes that are left on the disk of a directory.
	Free(path string) (int64, error)
}

// The modes of what the store makes, as nginx's.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// realSystem is the operating system.
type realSystem struct{}

func (realSystem) Open(path string) (*os.File, error) {
	// A pipe must not block whoever opens it.
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (realSystem) Change(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
}

func (realSystem) Create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
}

func (realSystem) WriteAt(f *os.File, p []byte, offset int64) error {
	_, err := f.WriteAt(p, offset)
	return err
}

func (realSystem) Reserve(f *os.File, size int64) error {
	err := syscall.Fallocate(int(f.Fd()), fallocKeepSize, 0, size)
	switch err {
	case syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT:
		return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil // where it cannot be asked for, the writing will tell
}

// fallocKeepSize is FALLOC_FL_KEEP_SIZE.
const fallocKeepSize = 1

func (realSystem) Rename(from, to string) error {
	// os.Rename looks at the target before.
	if err := syscall.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (realSystem) Remove(path string) error {
	if err := syscall.Unlink(path); err != nil {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}

func (realSystem) Mkdir(path string) error { return os.Mkdir(path, dirMode) }

func (realSystem) MkdirAll(path string) error { return os.MkdirAll(path, dirMode) }

func (realSystem) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

func (realSystem) Lock(f *os.File) bool {
	fd := int(f.Fd())
	var s syscall.Stat_t
	return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil && syscall.Fstat(fd, &s) == nil && s.Nlink > 0
}

func (realSystem) Free(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(s.Bavail) * s.Bsize, nil
}
