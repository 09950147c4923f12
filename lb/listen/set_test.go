package listen

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// echoName returns a set whose sockets answer each connection with their name.
func echoName(t *testing.T) *Set {
	t.Helper()
	s := New(Config{
		Accept: func(c net.Conn, s *Socket) {
			io.WriteString(c, s.Name())
			c.Close()
		},
		Report:    func(err error) { t.Error(err) },
		Lanes:     3,
		BindTries: 1,
	})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask connects and returns what the other side sends.
func ask(network, address string) (string, error) {
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	b, err := io.ReadAll(c)
	return string(b), err
}

func apply(t *testing.T, s *Set, specs ...Spec) []Binding {
	t.Helper()
	c, err := s.Open(specs)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	return c.Bindings()
}

// freePort returns a loopback address nobody listens on.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	return loopback.Free(t)
}

func wantAnswer(t *testing.T, network, address, want string) {
	t.Helper()
	if got, err := ask(network, address); err != nil || got != want {
		t.Errorf("%s answered %q, %v, want %q", address, got, err, want)
	}
}

func wantRefused(t *testing.T, address string) {
	t.Helper()
	if got, err := ask("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s answered %q, %v, want a refusal", address, got, err)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	a, b := Spec{Addr: freePort(t)}, Spec{Addr: freePort(t)}
	first := apply(t, s, a)
	wantAnswer(t, "tcp", a.Name(), a.Name())
	wantRefused(t, b.Name())

	second := apply(t, s, b, a)
	if second[1].Socket != first[0].Socket {
		t.Error("the kept address has another socket")
	}
	wantAnswer(t, "tcp", a.Name(), a.Name())
	wantAnswer(t, "tcp", b.Name(), b.Name())

	apply(t, s, b)
	wantRefused(t, a.Name())
	wantAnswer(t, "tcp", b.Name(), b.Name())
	if n := len(s.Sockets()); n != 1 {
		t.Errorf("%d sockets in force, want 1", n)
	}
}

func TestOpenFailsWithoutEffect(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := echoName(t)
	old, fresh := Spec{Addr: freePort(t)}, Spec{Addr: freePort(t)}
	apply(t, s, old)

	bad := Spec{Addr: taken.Addr().(*net.TCPAddr).AddrPort()}
	_, err = s.Open([]Spec{fresh, bad})
	want := "bind() to " + bad.Name() + " failed (98: Address already in use)\nstill could not bind()"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	var open *OpenError
	if !errors.As(err, &open) || open.Call != "bind" {
		t.Errorf("no OpenError in %v", err)
	}
	wantRefused(t, fresh.Name())
	wantAnswer(t, "tcp", old.Name(), old.Name())
	apply(t, s, old, fresh) // the failure left nothing behind
	wantAnswer(t, "tcp", fresh.Name(), fresh.Name())
}

func TestAbort(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	old, fresh := Spec{Addr: freePort(t)}, Spec{Addr: freePort(t)}
	path := Spec{Path: filepath.Join(t.TempDir(), "s")}
	apply(t, s, old)
	c, err := s.Open([]Spec{fresh, path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open([]Spec{old}); err == nil {
		t.Error("a second change was allowed while one is pending")
	}
	if err := c.Abort(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, fresh.Name())
	wantAnswer(t, "tcp", old.Name(), old.Name())
	if _, err := os.Stat(path.Path); !os.IsNotExist(err) {
		t.Errorf("the unix socket is left behind: %v", err)
	}
	if err := c.Commit(); err != nil || len(s.Sockets()) != 1 {
		t.Error("a change came into force after it was aborted")
	}
}

func TestBindTriesAgain(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Accept: func(c net.Conn, s *Socket) { c.Close() }, BindTries: 1000, BindPause: time.Millisecond})
	defer s.Close()
	opened := make(chan error)
	go func() {
		c, err := s.Open([]Spec{{Addr: taken.Addr().(*net.TCPAddr).AddrPort()}})
		if err == nil {
			err = c.Commit()
		}
		opened <- err
	}()
	taken.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	spec := Spec{Path: filepath.Join(t.TempDir(), "s")}
	apply(t, s, spec)
	info, err := os.Stat(spec.Path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v, want 0666", info.Mode(), err)
	}
	wantAnswer(t, "unix", spec.Path, spec.Name())

	other := echoName(t)
	_, err = other.Open([]Spec{spec})
	if err == nil || !strings.Contains(err.Error(), "bind() to "+spec.Name()+" failed (98: Address already in use)") {
		t.Errorf("a path in use: %v", err)
	}
	wantAnswer(t, "unix", spec.Path, spec.Name())
	apply(t, s)
	if _, err := os.Stat(spec.Path); !os.IsNotExist(err) {
		t.Errorf("the file outlives the socket: %v", err)
	}
}

func TestTestOpensNothing(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	path := filepath.Join(t.TempDir(), "s")
	free := Spec{Addr: freePort(t)}
	if err := s.Test([]Spec{free, {Path: path}, {Addr: taken.Addr().(*net.TCPAddr).AddrPort()}}); err != nil {
		t.Error(err)
	}
	wantRefused(t, free.Name())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("a test leaves a unix socket behind")
	}
	err = s.Test([]Spec{{Addr: netip.MustParseAddrPort("192.0.2.1:1")}})
	if err == nil || err.Error() != "bind() to 192.0.2.1:1 failed (99: Cannot assign requested address)" {
		t.Errorf("got %v", err)
	}
}

func TestStopAndResume(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	spec := Spec{Addr: freePort(t)}
	apply(t, s, spec)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", spec.Name()) // the kernel still queues
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v from a stopped set", n, err)
	}
	s.Resume()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if b, err := io.ReadAll(c); err != nil || string(b) != spec.Name() {
		t.Errorf("got %q, %v after Resume", b, err)
	}
}

func TestClosedSet(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	spec := Spec{Addr: freePort(t)}
	c, err := s.Open([]Spec{spec})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("commit on a closed set: %v", err)
	}
	wantRefused(t, spec.Name())
	if _, err := s.Open([]Spec{spec}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("open on a closed set: %v", err)
	}
}
