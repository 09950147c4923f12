package errorlog

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/weir-lb/weir/config/errno"
)

// filePerm is the mode of a log file that weir makes, before the umask.
const filePerm = 0o644

// File is a log file of a Set, open for appending. It is safe for concurrent
// use.
type File struct {
	set   *Set
	path  string
	users int // guarded by set.mu

	mu       sync.RWMutex // written to exchange what follows
	file     *os.File
	flushers []Flusher
}

// Flusher holds back what is to be written to a File. Flush writes it.
type Flusher interface {
	Flush()
}

// openAppend opens a log file in nginx's words of failure.
func openAppend(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, filePerm)
	if err != nil {
		return nil, fmt.Errorf("open() %q failed (%w)", path, errno.Of(err))
	}
	return f, nil
}

// Path returns the name under which the file was opened.
func (f *File) Path() string { return f.path }

// Write appends p, which should be whole lines, in one write.
func (f *File) Write(p []byte) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n, err := f.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("write() to %q failed (%w)", f.path, errno.Of(err))
	}
	return n, nil
}

func (f *File) writeLine(_ Level, line []byte) error {
	_, err := f.Write(line)
	return err
}

// Moved tells whether the path no longer leads to this file: it was renamed or
// removed since it was opened.
func (f *File) Moved() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	here, err := f.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.path)
	return err != nil || !os.SameFile(here, there)
}

// Attach has b flushed before the file is reopened.
func (f *File) Attach(b Flusher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushers = append(f.flushers, b)
}

// Detach ends what Attach began.
func (f *File) Detach(b Flusher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.flushers, b); i >= 0 {
		f.flushers = slices.Delete(f.flushers, i, i+1)
	}
}

// reopen opens the path anew and leaves the old file.
func (f *File) reopen() error {
	f.mu.RLock()
	flushers := slices.Clone(f.flushers)
	f.mu.RUnlock()
	for _, b := range flushers {
		b.Flush()
	}
	file, err := openAppend(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	file, f.file = f.file, file
	f.mu.Unlock()
	return file.Close()
}

// Close gives the file back; the last user closes it.
func (f *File) Close() error {
	f.set.mu.Lock()
	f.users--
	last := f.users == 0
	if last {
		delete(f.set.files, f.path)
	}
	f.set.mu.Unlock()
	if !last {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
