// Package durable changes files so that a loss of power finds them as they were,
// or as they are to be. For that the folder has to be on disk as well as the file:
// without it a file that was made, or renamed, may have its name no more.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile puts a file of mode with the given text in the place of the one of
// that name. Whoever reads it finds the one or the other as a whole. It returns
// when the new one is on disk. Its errors are those of package os.
func WriteFile(name string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncFolder(filepath.Dir(name))
}

// Rename renames a file or folder, whose content is on disk already, and returns
// when it is on disk that it was.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	left, entered := filepath.Dir(from), filepath.Dir(to)
	err := SyncFolder(entered)
	if left != entered {
		err = errors.Join(err, SyncFolder(left))
	}
	return err
}

// MakeFolder makes a folder of mode, with those above it that are missing, and
// returns when they are on disk. It does nothing if the folder is there.
func MakeFolder(dir string, mode fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if above := filepath.Dir(dir); above != dir {
		if err := MakeFolder(above, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() { // another may have been faster
		return errors.Join(err, &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR})
	}
	return SyncFolder(filepath.Dir(dir))
}

// SyncFolder returns when it is on disk which files are in a folder. Some file
// systems have nothing of the kind to do, and say that they cannot: that is no
// error, nor is a folder in which one may write but not read.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
