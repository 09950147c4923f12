package request

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/weir-lb/weir/config/errno"
)

// Keeping says where a body that is taken in goes.
type Keeping struct {
	Memory int64  // bytes kept in memory; the rest goes into a file
	Dir    string // of the file
}

// Keep takes the whole body in, so that it can be sent more than once. What
// has arrived with the head stays where it is. An error is one of Next, or
// tells that the file could not be written (500).
func (b *Body) Keep(k Keeping) *Error {
	switch {
	case b.Kept:
		return nil
	case b.Framing == FramingNone || b.Source == nil:
		b.Kept = true
		return nil
	case b.KeepArrived():
		return nil
	}
	return b.collect(k)
}

// KeepArrived is Keep for a body that has arrived whole; false where more of
// it is to come, and nothing was taken in.
func (b *Body) KeepArrived() bool {
	if b.Kept || b.Source == nil {
		return b.Kept
	}
	p, ok := b.Source.Whole()
	if ok {
		b.Memory, b.Size, b.Kept = p, int64(len(p)), true
		b.Received = b.Size
	}
	return ok
}

func (b *Body) collect(k Keeping) *Error {
	if b.Length > 0 {
		b.Memory = make([]byte, 0, min(b.Length, k.Memory))
	}
	for {
		p, err := b.Next()
		if errors.Is(err, io.EOF) {
			b.Kept = true
			return nil
		}
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				return e
			}
			return &Error{Source: Downstream, Status: 400, Reason: "client sent a broken body", Cause: err}
		}
		if err := b.store(p, k); err != nil {
			return &Error{Source: Internal, Status: 500, Reason: "a client request body could not be kept", Cause: err}
		}
	}
}

func (b *Body) store(p []byte, k Keeping) error {
	b.Size += int64(len(p))
	if b.File == nil {
		if b.Size <= k.Memory {
			b.Memory = append(b.Memory, p...)
			return nil
		}
		file, err := OpenTemporary(k.Dir)
		if err != nil {
			return fmt.Errorf("open() %q failed (%w)", k.Dir, errno.Of(err))
		}
		b.File = file
	}
	if _, err := b.File.Write(p); err != nil {
		return fmt.Errorf("write() %q failed (%w)", k.Dir, errno.Of(err))
	}
	return nil
}

// unnamed asks open(2) for a file that never gets a name (O_TMPFILE).
const unnamed = 0x400000 | syscall.O_DIRECTORY

// OpenTemporary makes a file without a name in a folder, which it makes if it
// is not there: the file is gone with the process.
func OpenTemporary(dir string) (*os.File, error) {
	f, err := openUnnamed(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		f, err = openUnnamed(dir)
	}
	return f, err
}

func openUnnamed(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unnamed, 0o600)
	if !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EISDIR) {
		return f, err
	}
	// A file system that does not know of it: named for a moment.
	if f, err = os.CreateTemp(dir, ""); err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("unlink: %w", errors.Join(err, f.Close()))
	}
	return f, nil
}

// Release gives back what Keep holds.
func (b *Body) Release() {
	if b.File != nil {
		_ = b.File.Close() // an unnamed file that nobody will read
	}
	b.Kept, b.Memory, b.File, b.Size = false, nil, nil, 0
}
