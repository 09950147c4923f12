package store

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
)

// faultySystem is the real one but for operations that fail on demand.
type faultySystem struct {
	realSystem
	mu    sync.Mutex
	fails map[string]syscall.Errno // by operation
	free  int64                    // what Free answers, unless 0
}

func (s *faultySystem) fail(op string, errno syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails == nil {
		s.fails = map[string]syscall.Errno{}
	}
	s.fails[op] = errno
}

// left is what Free answers from now on.
func (s *faultySystem) left(free int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = free
}

func (s *faultySystem) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = nil
}

func (s *faultySystem) check(op, path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errno := s.fails[op]; errno != 0 {
		return &fs.PathError{Op: op, Path: path, Err: errno}
	}
	return nil
}

func (s *faultySystem) Open(path string) (*os.File, error) {
	if err := s.check("open", path); err != nil {
		return nil, err
	}
	return s.realSystem.Open(path)
}

func (s *faultySystem) Change(path string) (*os.File, error) {
	if err := s.check("change", path); err != nil {
		return nil, err
	}
	return s.realSystem.Change(path)
}

func (s *faultySystem) Create(path string) (*os.File, error) {
	if err := s.check("create", path); err != nil {
		return nil, err
	}
	return s.realSystem.Create(path)
}

func (s *faultySystem) WriteAt(f *os.File, p []byte, offset int64) error {
	if err := s.check("write", f.Name()); err != nil {
		return err
	}
	return s.realSystem.WriteAt(f, p, offset)
}

func (s *faultySystem) Reserve(f *os.File, size int64) error {
	if err := s.check("fallocate", f.Name()); err != nil {
		return err
	}
	return s.realSystem.Reserve(f, size)
}

func (s *faultySystem) Rename(from, to string) error {
	if err := s.check("rename", from); err != nil && !strings.HasPrefix(from, to) {
		return err
	}
	return s.realSystem.Rename(from, to)
}

func (s *faultySystem) Remove(path string) error {
	if err := s.check("unlink", path); err != nil {
		return err
	}
	return s.realSystem.Remove(path)
}

func (s *faultySystem) Mkdir(path string) error {
	if err := s.check("mkdir", path); err != nil {
		return err
	}
	return s.realSystem.Mkdir(path)
}

func (s *faultySystem) Free(path string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free != 0 {
		return s.free, nil
	}
	return s.realSystem.Free(path)
}
