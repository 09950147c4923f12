package wire_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

const patience = 30 * time.Second

// pair returns a stream and the ordinary connection at its other end.
func pair(t *testing.T) (*wire.Stream, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := &wire.Stream{}
	if err := s.Init(a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), b.Close() })
	_ = b.SetDeadline(time.Now().Add(patience))
	s.ReadWithin(wire.Now(), patience)
	s.WriteWithin(patience)
	return s, b.(*net.TCPConn)
}

// secure puts TLS on both ends.
func secure(t *testing.T, s *wire.Stream, far net.Conn) net.Conn {
	t.Helper()
	return secureUpTo(t, tls.VersionTLS13, s, far)
}

func secureUpTo(t *testing.T, version uint16, s *wire.Stream, far net.Conn) net.Conn {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := tls.Server(far, &tls.Config{MaxVersion: version, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := s.StartTLS(&tls.Config{InsecureSkipVerify: true}, false, patience); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return server
}

// both runs a test on a plain stream and on one with TLS.
func both(t *testing.T, test func(t *testing.T, s *wire.Stream, far net.Conn)) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		s, far := pair(t)
		test(t, s, far)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		s, far := pair(t)
		test(t, s, secure(t, s, far))
	})
}

func TestExchange(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		// Larger than what a socket takes at once.
		out := bytes.Repeat([]byte("request "), 1<<20)
		go func() {
			got := make([]byte, len(out))
			if _, err := io.ReadFull(far, got); err == nil && bytes.Equal(got, out) {
				_, _ = far.Write([]byte("whole"))
			}
		}()
		in := make([]byte, 100)
		n, err := s.Exchange(out, &lender{buf: in})
		if err != nil || string(in[:n]) != "whole" {
			t.Fatalf("%q %v", in[:n], err)
		}
		_ = far.Close()
		if n, err := s.Read(in); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %d %v", n, err)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, _ net.Conn) {
		paused := 0
		now := wire.Now()
		s.ReadWithin(now, 2*time.Second)
		s.OnPause(now, 20*time.Millisecond, func() { paused++ })
		_, err := s.Read(make([]byte, 10))
		if took := time.Duration(wire.Now() - now); !errors.Is(err, wire.ErrTimeout) || took < 2*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if paused != 1 {
			t.Errorf("paused %d times", paused)
		}
	})
}

// TestPauseMayAskForMore: what a pause sets holds for the wait it interrupts.
func TestPauseMayAskForMore(t *testing.T) {
	t.Parallel()
	s, far := pair(t)
	s.ReadWithin(wire.Now(), 0)
	pauses := 0
	var again func()
	again = func() {
		if pauses++; pauses == 3 {
			_, _ = far.Write([]byte("x"))
			s.ReadWithin(wire.Now(), patience)
			return
		}
		s.OnPause(wire.Now(), 10*time.Millisecond, again)
	}
	s.OnPause(wire.Now(), 10*time.Millisecond, again)
	if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		s, far := pair(t)
		if before {
			s.Interrupt()
		} else {
			s.OnPause(wire.Now(), time.Millisecond, func() { go s.Interrupt() })
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, wire.ErrInterrupted) {
			t.Errorf("%v", err)
		}
		// Forgotten, the connection serves on.
		s.ClearInterrupt()
		s.ReadWithin(wire.Now(), patience)
		_, _ = far.Write([]byte("x"))
		if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("afterwards: %d %v", n, err)
		}
	}
}

// TestServe: every byte that arrives reaches the callback, however it is cut.
func TestServe(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		const size = 1 << 20
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		go func() {
			for rest, n := sent, 1; len(rest) > 0; n = n*2 + 1 {
				n = min(n, len(rest), 100000)
				_, _ = far.Write(rest[:n])
				rest = rest[n:]
			}
		}()
		var got []byte
		buf := make([]byte, 8<<10)
		err := s.Serve(func(fd uintptr) bool {
			for len(got) < size {
				n, err := s.ReadNow(fd, buf)
				if err == syscall.EAGAIN {
					return false
				}
				if err != nil {
					t.Error(err)
					return true
				}
				got = append(got, buf[:n]...)
				if s.Drained(n, len(buf)) {
					break
				}
			}
			if len(got) < size {
				return false
			}
			_, _ = s.WriteFrom(fd, []byte("done"))
			return true
		})
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		answer := make([]byte, 4)
		if _, err := io.ReadFull(far, answer); err != nil || string(answer) != "done" {
			t.Errorf("%q %v", answer, err)
		}
	})
}

// TestWriteTimeout: a peer that takes nothing ends a write, one that takes
// little does not.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		s.WriteWithin(50 * time.Millisecond)
		if n, err := s.Write(make([]byte, 64<<20)); !errors.Is(err, wire.ErrTimeout) {
			t.Errorf("%d %v", n, err)
		}
	})
}

// TestOffer: what a peer does not take at once is told, and nothing is lost
// or changes its place.
func TestOffer(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
		total := 0
		for {
			n, err := s.Offer(0, piece)
			if err != nil {
				t.Fatal(err)
			}
			total += n
			if n < len(piece) || s.Pending() {
				break
			}
			if total > 1<<30 {
				t.Fatal("the socket takes all")
			}
		}
		read := make(chan []byte)
		go func() {
			got, _ := io.ReadAll(far)
			read <- got
		}()
		at := total % len(piece)
		if _, err := s.Write(piece[at:]); err != nil {
			t.Fatal(err)
		}
		if s.Pending() {
			t.Error("records still wait")
		}
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got := <-read
		if len(got) != total+len(piece)-at {
			t.Fatalf("%d bytes, want %d", len(got), total+len(piece)-at)
		}
		for i := range got {
			if got[i] != piece[i%len(piece)] {
				t.Fatalf("byte %d differs", i)
			}
		}
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	s, far := pair(t)
	if err := s.Socket.Idle(); err != nil {
		t.Errorf("open: %v", err)
	}
	_, _ = far.Write([]byte("x"))
	if b, err := s.PeekByte(); b != 'x' || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if s.Socket.Idle() == nil {
		t.Error("bytes are not noticed")
	}
	_, _ = s.Read(make([]byte, 1))
	_ = far.Close()
	_, _ = s.PeekByte()
	if err := s.Socket.Idle(); !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
}

// trier is a connection that can be read from before it is waited for.
type trier struct {
	*net.TCPConn
	tries, fd int
}

func (c *trier) Try(f func(fd uintptr) bool) bool {
	c.tries++
	return f(uintptr(c.fd))
}

// TestFirstWaitTries: a new connection whose bytes are there is not waited for; one without is, as ever.
func TestFirstWaitTries(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		plain, far := pair(t)
		c := &trier{TCPConn: plain.Conn().(*net.TCPConn)}
		raw, err := c.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { c.fd = int(fd) })
		}
		s := &wire.Stream{}
		if err := errors.Join(err, s.Init(c)); err != nil {
			t.Fatal(err)
		}
		send := func() {
			if _, err := far.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
		if before {
			send()
			if _, err := plain.PeekByte(); err != nil {
				t.Fatal(err)
			}
		}
		calls := 0
		err = s.Serve(func(fd uintptr) bool {
			if calls++; calls == 2 && !before { // Try has found nothing
				send()
			}
			n, err := s.ReadNow(fd, make([]byte, 10))
			return n > 0 || err != syscall.EAGAIN
		})
		if err != nil || c.tries != 1 || before != (calls == 1) {
			t.Errorf("bytes there before: %v: %d tries, %d calls, %v", before, c.tries, calls, err)
		}
		send()
		if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil || c.tries != 1 {
			t.Errorf("second wait: %d bytes, %d tries, %v", n, c.tries, err)
		}
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	w, err := wire.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		before bool
		end    func(c *net.TCPConn)
	}{
		{"end of its side", false, func(c *net.TCPConn) { _ = c.CloseWrite() }},
		{"close", false, func(c *net.TCPConn) { _ = c.Close() }},
		{"reset", false, func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() }},
		{"ended before", true, func(c *net.TCPConn) { _ = c.Close() }},
	} {
		s, far := pair(t)
		if c.before {
			c.end(far)
			_, _ = s.PeekByte()
		}
		gone := make(chan struct{})
		if err := w.Watch(&s.Socket, func() { close(gone) }); err != nil {
			t.Fatal(err)
		}
		if !c.before {
			c.end(far)
		}
		select {
		case <-gone:
		case <-time.After(patience):
			t.Errorf("%s: not noticed", c.name)
		}
		w.Unwatch(&s.Socket)
	}
	// Bytes are no hang-up, and nothing is called after Unwatch.
	s, far := pair(t)
	if err := w.Watch(&s.Socket, func() { t.Error("called") }); err != nil {
		t.Fatal(err)
	}
	_, _ = far.Write([]byte("x"))
	w.Unwatch(&s.Socket)
	_ = far.Close()
	_, _ = s.Read(make([]byte, 1))
	_, _ = s.PeekByte()
	if err := w.Watch(&s.Socket, func() {}); err != nil {
		t.Errorf("once more: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestEach: pieces go to the callback until the end; silence ends it when
// nothing says otherwise.
func TestEach(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		go func() {
			_, _ = far.Write([]byte("one"))
			_, _ = far.Write([]byte("two"))
			_ = far.Close()
		}()
		var got []byte
		err := s.Each(func(p []byte) error { got = append(got, p...); return nil }, func() int64 { return wire.Now() + int64(patience) })
		if string(got) != "onetwo" || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%q %v", got, err)
		}
	})
	s, _ := pair(t)
	asked := 0
	err := s.Each(func([]byte) error { return nil }, func() int64 {
		asked++
		return wire.Now() + int64(20*time.Millisecond)*int64(3-min(asked, 3))
	})
	if !errors.Is(err, wire.ErrTimeout) || asked < 3 {
		t.Errorf("%v after %d questions", err, asked)
	}
}

// TestSplice: the kernel moves what fits; a peer that lags gets the rest back
// in order.
func TestSplice(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for _, reading := range []bool{true, false} {
		src, feeder := pair(t)
		dst, reader := pair(t)
		go func() { _, _ = feeder.Write(data) }()
		read := make(chan []byte, 1)
		begin := make(chan struct{})
		go func() {
			<-begin
			got := make([]byte, size)
			n, _ := io.ReadFull(reader, got)
			read <- got[:n]
		}()
		if reading {
			close(begin)
		}
		done := dst.SpliceFrom(&src.Socket, size, patience, 0)
		if done.Source != nil || done.Peer != nil {
			t.Fatalf("%v %v", done.Source, done.Peer)
		}
		if !reading {
			if done.Moved >= size {
				t.Fatal("all was taken by a peer that does not read")
			}
			close(begin)
		}
		if _, err := dst.Write(done.Rest); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64<<10)
		for at := done.Moved + int64(len(done.Rest)); at < size; {
			n, err := src.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				t.Fatal(err)
			}
			at += int64(n)
		}
		if got := <-read; !bytes.Equal(got, data) {
			t.Errorf("reading %v: %d bytes, which are not those sent", reading, len(got))
		}
	}
}
