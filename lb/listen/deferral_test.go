package listen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// patience is more than a busy machine needs for anything here.
const patience = 20 * time.Second

// held is a deferral with where it hands connections over.
type held struct {
	*deferral
	handed chan net.Conn
}

// hold returns a deferral; one that does not look never hands silent connections over by itself.
func hold(t *testing.T, looks bool) held {
	t.Helper()
	handed := make(chan net.Conn, 10)
	d, err := newDeferral(func(c net.Conn, _ *Socket) { handed <- c })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.end(); err != nil {
			t.Error(err)
		}
	})
	d.timed = !looks
	return held{d, handed}
}

func (h held) next(t *testing.T) net.Conn {
	t.Helper()
	select {
	case c := <-h.handed:
		return c
	case <-time.After(patience):
		t.Fatal("nothing is handed over")
		return nil
	}
}

func anyPort() Spec { return Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")} }

func TestDeferralWaitsForBytes(t *testing.T) {
	t.Parallel()
	h := hold(t, false)
	quiet, first := acceptOne(t, newReaper(), anyPort())
	leaving, second := acceptOne(t, newReaper(), anyPort())
	h.take(first, nil)
	h.take(second, nil)
	if len(h.handed) > 0 || h.count() != 2 {
		t.Fatalf("%d are held, %d were handed over", h.count(), len(h.handed))
	}
	leaving.Close()
	if got := h.next(t); got != second {
		t.Error("not the one whose client has left was handed over")
	}
	if _, err := quiet.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := h.next(t); got != first {
		t.Error("not the one that has bytes was handed over")
	}
	if first.Waited() <= 0 {
		t.Error("it says that it was not held back")
	}
	p := make([]byte, 5)
	if n, err := io.ReadFull(first, p); err != nil || string(p[:n]) != "hello" {
		t.Errorf("read %q, %v", p[:n], err)
	}
	if h.count() != 0 {
		t.Error("some are held still")
	}
}

func TestDeferralHandsOver(t *testing.T) {
	t.Parallel()
	end := func(d *deferral) { _ = d.end() } // its error is looked at when the test ends
	for _, tt := range []struct {
		name  string
		looks bool
		ready bool // bytes are there before
		then  func(*deferral)
	}{
		{name: "bytes are there", ready: true},
		{name: "silent for long", looks: true},
		{name: "flush", then: (*deferral).flush},
		{name: "end", then: end},
	} {
		h := hold(t, tt.looks)
		client, c := acceptOne(t, newReaper(), anyPort())
		if tt.ready {
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := firstByte(c); err != nil {
				t.Fatal(err)
			}
		}
		h.take(c, nil)
		if tt.then != nil {
			tt.then(h.deferral)
		}
		if got := h.next(t); got != c {
			t.Errorf("%s: another was handed over", tt.name)
		}
		if held := c.Waited() > 0; held == tt.ready {
			t.Errorf("%s: held back %v", tt.name, held)
		}
	}
}

// firstByte waits until a connection has bytes, and leaves them there.
func firstByte(c *Conn) error {
	for until := time.Now().Add(patience); c.silent(); {
		if time.Now().After(until) {
			return errors.New("no bytes")
		}
		runtime.Gosched()
	}
	return nil
}

func TestEndedDeferralHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	h := hold(t, true)
	if err := errors.Join(h.end(), h.end()); err != nil {
		t.Error(err)
	}
	_, c := acceptOne(t, newReaper(), anyPort())
	if h.take(c, nil); len(h.handed) != 1 {
		t.Error("it is held back")
	}
	if h.take(nil, nil); len(h.handed) != 2 {
		t.Error("what is no *Conn is held back")
	}
}

// TestStopHandsOver: nobody is forgotten who has connected and said nothing.
func TestStopHandsOver(t *testing.T) {
	t.Parallel()
	handed := make(chan net.Conn, 10)
	s := New(Config{Accept: func(c net.Conn, _ *Socket) { handed <- c }, Report: func(err error) { t.Error(err) }})
	change, err := s.Open([]Spec{anyPort()})
	if err != nil {
		t.Fatal(err)
	}
	if err := change.Commit(); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", s.Sockets()[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for until := time.Now().Add(patience); s.deferral.count() == 0 && len(handed) == 0; {
		if time.Now().After(until) {
			t.Fatal("the connection is not accepted")
		}
		runtime.Gosched()
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if len(handed) != 1 {
		t.Error("it is not handed over when Stop returns")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	(<-handed).Close()
}

func (d *deferral) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.young) + len(d.old)
}
