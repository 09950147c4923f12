package listen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// acceptOne returns both ends of a connection to a spec's address.
func acceptOne(t *testing.T, r *reaper, spec Spec) (client net.Conn, c *Conn) {
	t.Helper()
	ln, err := open(&spec, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if err := setNonblock(ln); err != nil {
		t.Fatal(err)
	}
	client, err = net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetDeadline(time.Now().Add(30 * time.Second))
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return client, accepted.(*Conn)
}

func TestConnAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		spec := Spec{Addr: netip.MustParseAddrPort(address)}
		spec.Options.DualStack = true
		client, c := acceptOne(t, newReaper(), spec)
		far, near := client.LocalAddr().(*net.TCPAddr), client.RemoteAddr().(*net.TCPAddr)
		if c.Remote() != unmapped(far.AddrPort()) || c.RemoteAddr().String() != c.Remote().String() {
			t.Errorf("%s: client %v, %v; want %v", address, c.Remote(), c.RemoteAddr(), far)
		}
		if c.Local() != unmapped(near.AddrPort()) || c.LocalAddr().String() != c.Local().String() {
			t.Errorf("%s: reached %v, %v; want %v", address, c.Local(), c.LocalAddr(), near)
		}
	}
}

func TestUnixConnAddresses(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/s"
	_, c := acceptOne(t, newReaper(), Spec{Path: path})
	if c.Remote().IsValid() || c.Local().IsValid() || c.LocalAddr().String() != path {
		t.Errorf("addresses %v, %v, %v", c.Remote(), c.Local(), c.LocalAddr())
	}
}

func TestConnEnds(t *testing.T) {
	t.Parallel()
	reset := func(c *Conn) error { return errors.Join(c.ResetOnClose(), c.Retire()) }
	tests := []struct {
		name string
		end  func(*Conn) error
		eof  bool // what the client sees, else a reset
	}{
		{"close", (*Conn).Close, true},
		{"half", (*Conn).CloseWrite, true},
		{"retire", (*Conn).Retire, true},
		{"reset", reset, false},
	}
	for _, tt := range tests {
		client, c := acceptOne(t, newReaper(), Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if err := tt.end(c); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil || (err == io.EOF) != tt.eof || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the client sees %v", tt.name, err)
		}
		if tt.name == "half" {
			continue
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: writing gives %v", tt.name, err)
		}
		if err := errors.Join(c.Close(), c.Retire()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: closing again gives %v", tt.name, err)
		}
	}
}

// TestUnpolledConn: what does not wait keeps the poller from hearing of a connection, and so does its end.
func TestUnpolledConn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Conn) error{"close": (*Conn).Close, "retire": (*Conn).Retire} {
		r := newReaper()
		client, c := acceptOne(t, r, Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		var fd uintptr
		content := func(got uintptr) bool { fd = got; return true }
		if !c.Try(content) || fd != uintptr(c.fd) || c.Try(func(uintptr) bool { return false }) {
			t.Errorf("%s: Try does not call with the descriptor, or does not tell what comes of it", name)
		}
		if c.file.Load() != nil {
			t.Errorf("%s: the poller knows of it", name)
		}
		if err := end(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: the client sees %v", name, err)
		}
		if len(r.dead) > 0 {
			t.Errorf("%s: its descriptor is not free", name)
		}
		if fd = 0; c.Try(content) || fd != 0 {
			t.Errorf("%s: Try calls for what is closed", name)
		}
		_, err := c.Read(make([]byte, 1))
		for _, err := range []error{err, c.CloseWrite(), c.SetDeadline(time.Now()), end(c)} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: afterwards %v", name, err)
			}
		}
	}
}

// TestPolledConn: all that may have to wait, or comes from other goroutines, makes the poller hear of a connection.
func TestPolledConn(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*Conn) error{
		"write":     func(c *Conn) error { _, err := c.Write([]byte("x")); return err },
		"deadline":  func(c *Conn) error { return c.SetReadDeadline(time.Time{}) },
		"half":      (*Conn).CloseWrite,
		"raw read":  func(c *Conn) error { return (*rawConn)(c).Read(func(uintptr) bool { return true }) },
		"raw write": func(c *Conn) error { return (*rawConn)(c).Write(func(uintptr) bool { return true }) },
	} {
		_, c := acceptOne(t, newReaper(), Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		done := make(chan error, 1)
		if !c.Try(func(uintptr) bool { // meanwhile
			go func() { done <- use(c) }()
			return <-done == nil && c.file.Load() != nil
		}) {
			t.Errorf("%s: it failed, or the poller does not know of it", name)
		}
		if c.Try(func(uintptr) bool { t.Errorf("%s: Try calls still", name); return true }) {
			t.Errorf("%s: Try says yes still", name)
		}
	}
}

func TestReaper(t *testing.T) {
	t.Parallel()
	r := newReaper()
	waiting := func() int { return len(r.dead) }
	retire := func() {
		_, c := acceptOne(t, r, Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if _, err := c.poll(); err != nil {
			t.Error(err)
		}
		if err := c.Retire(); err != nil {
			t.Error(err)
		}
	}
	for range reapAt - 1 {
		retire()
	}
	if n := waiting(); n != reapAt-1 {
		t.Errorf("%d wait, want %d", n, reapAt-1)
	}
	if retire(); waiting() != 0 {
		t.Errorf("%d wait after a full batch", waiting())
	}
	retire()
	if err := r.end(); err != nil || waiting() != 0 {
		t.Errorf("%d wait after the end, %v", waiting(), err)
	}
	if retire(); waiting() != 0 {
		t.Errorf("%d wait though it has ended", waiting())
	}
}
