package wire_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

// lender has one buffer, and counts how often it was lent and came back unused.
type lender struct {
	buf       []byte
	lent, got int
	idle      chan struct{} // closed when it came back first; nil: nobody asks
}

// Lend implements wire.Lender.
func (l *lender) Lend() []byte {
	l.lent++
	return l.buf
}

// Reclaim implements wire.Lender.
func (l *lender) Reclaim() {
	if l.got++; l.got == 1 && l.idle != nil {
		close(l.idle)
	}
}

// A read that has to wait holds no buffer meanwhile.
func TestReadLent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		l := &lender{buf: make([]byte, 100), idle: make(chan struct{})}
		if !s.Plain() { // TLS waits with buffers of its own
			close(l.idle)
			l.idle = nil
		}
		s.ReadWithin(wire.Now(), time.Minute)
		go func(idle chan struct{}) {
			if idle != nil {
				<-idle
			}
			_, _ = io.WriteString(far, "late")
		}(l.idle)
		n, err := s.ReadLent(l)
		if err != nil || string(l.buf[:n]) != "late" {
			t.Fatalf("%q %v", l.buf[:n], err)
		}
		if l.lent != l.got+1 || s.Plain() && l.got == 0 {
			t.Errorf("lent %d times, of which %d in vain", l.lent, l.got)
		}
		l.lent, l.got = 0, 0
		if _, err := s.Read(l.buf[:0]); l.lent != 0 || err != nil {
			t.Errorf("a read with a buffer of its own: lent %d times, %v", l.lent, err)
		}
	})
}
