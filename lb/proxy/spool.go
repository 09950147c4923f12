package proxy

import (
	"errors"
	"os"
	"sync"

	"github.com/weir-lb/weir/lb/request"
)

// spoolPiece is how much is read back from a temporary file at a time.
const spoolPiece = 64 << 10

// spool holds what an upstream has sent and a slow client has not taken yet,
// so that the upstream is free as soon as its reply was read. It begins when a
// client falls behind, and lasts until the reply's end; a goroutine of its own
// writes to the client. What comes is kept in memory, beyond that in a
// temporary file, and beyond that the upstream has to wait.
type spool struct {
	out     request.Out
	failure func(call string, err error) // of the temporary file, to the log
	opened  func()                       // a temporary file is in use
	dir     string
	memory  int   // bytes that may wait in memory
	disk    int64 // and in the file; 0: no file

	mu      sync.Mutex
	changed sync.Cond
	waiting []byte   // in memory; it comes before what is in the file
	file    *os.File // nil while none is needed
	r, w    int64    // what of the file waits lies between
	closed  bool     // nothing more comes
	err     error    // the client has gone, or errGivenUp
	done    chan struct{}
}

var errGivenUp = errors.New("reply given up")

// run starts the goroutine that writes.
func (s *spool) run() {
	s.changed.L = &s.mu
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		err := s.drain()
		s.mu.Lock()
		if s.err == nil {
			s.err = err
		}
		s.mu.Unlock()
		s.changed.Broadcast()
	}()
}

// put takes bytes in; it waits while there is no room. An error means that
// the client has gone.
func (s *spool) put(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 && s.err == nil {
		n := s.store(p)
		if n == 0 {
			s.changed.Wait()
			continue
		}
		p = p[n:]
		s.changed.Broadcast()
	}
	return s.err
}

// store keeps what there is room for. In front of bytes in the file memory
// must stay as it is, to keep the order.
func (s *spool) store(p []byte) int {
	if s.r == s.w {
		s.r, s.w = 0, 0
		if n := min(len(p), s.memory-len(s.waiting)); n > 0 {
			s.waiting = append(s.waiting, p[:n]...)
			return n
		}
	}
	n := int(min(int64(len(p)), s.disk-s.w))
	if n <= 0 {
		return 0
	}
	if s.file == nil {
		file, err := request.OpenTemporary(s.dir)
		if err != nil {
			s.disk = 0 // memory has to do
			s.failure("open()", err)
			return 0
		}
		s.file = file
		s.opened()
	}
	n, err := s.file.WriteAt(p[:n], s.w)
	s.w += int64(n)
	if err != nil {
		s.disk = 0
		s.failure("pwrite()", err)
	}
	return n
}

// drain writes to the client what comes, until the end.
func (s *spool) drain() error {
	var free, back []byte // the memory written last; what the file is read into
	for {
		if err := s.await(); err != nil {
			return err
		}
		s.mu.Lock()
		piece, err := s.take(&free, &back)
		s.mu.Unlock()
		if err != nil || len(piece) == 0 {
			return err
		}
		s.changed.Broadcast()
		if err := s.out.Write(piece); err != nil {
			return err
		}
	}
}

// await returns when something waits or the end has come. Before it waits,
// all that is held back for the client is sent.
func (s *spool) await() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle() {
		s.mu.Unlock()
		err := s.out.Flush()
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	for s.idle() {
		s.changed.Wait()
	}
	return s.err
}

func (s *spool) idle() bool {
	return len(s.waiting) == 0 && s.r == s.w && !s.closed && s.err == nil
}

// take returns what is to be written next, nothing at the end. Two pieces of
// memory take turns: while one is written the other fills.
func (s *spool) take(free, back *[]byte) (piece []byte, err error) {
	if len(s.waiting) > 0 {
		piece, s.waiting = s.waiting, (*free)[:0]
		*free = piece
		return piece, nil
	}
	if s.r == s.w {
		return nil, nil
	}
	if *back == nil {
		*back = make([]byte, spoolPiece)
	}
	n, err := s.file.ReadAt((*back)[:min(spoolPiece, s.w-s.r)], s.r)
	if s.r += int64(n); n > 0 {
		err = nil
	}
	return (*back)[:n], err
}

// close tells that nothing more comes and waits until all is written; with
// giveUp what has not been written is lost.
func (s *spool) close(giveUp bool) error {
	s.mu.Lock()
	s.closed = true
	if giveUp && s.err == nil {
		s.err = errGivenUp
	}
	s.mu.Unlock()
	s.changed.Broadcast()
	<-s.done
	if s.file != nil {
		_ = s.file.Close() // an unnamed file that nobody will read
	}
	return s.err
}
