package listen

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// handOn passes the sockets of one set to another as exec would pass them to a process.
func handOn(t *testing.T, from, to *Set) {
	t.Helper()
	files, env, err := from.Export(3)
	if err != nil {
		t.Fatal(err)
	}
	want, value := "", ""
	for i, f := range files {
		want += strconv.Itoa(3+i) + ";"
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		value += strconv.Itoa(fd) + ";"
		f.Close()
	}
	if env != want {
		t.Errorf("exported %q, want %q", env, want)
	}
	if err := to.Import(value); err != nil {
		t.Fatal(err)
	}
}

func TestHandOn(t *testing.T) {
	t.Parallel()
	old, successor := echoName(t), echoName(t)
	kept, dropped := Spec{Addr: freePort(t)}, Spec{Addr: freePort(t)}
	path := Spec{Path: filepath.Join(t.TempDir(), "s")}
	apply(t, old, kept, dropped, path)
	if err := old.Stop(); err != nil {
		t.Fatal(err)
	}
	queued, err := net.Dial("tcp", kept.Name()) // before anybody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer queued.Close()
	handOn(t, old, successor)

	c, err := successor.Open([]Spec{kept, path})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Abort(); err != nil { // gives them back
		t.Fatal(err)
	}
	apply(t, successor, kept, path)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	queued.SetDeadline(time.Now().Add(30 * time.Second))
	if b, err := io.ReadAll(queued); err != nil || string(b) != kept.Name() {
		t.Errorf("the queued connection got %q, %v", b, err)
	}
	wantAnswer(t, "tcp", kept.Name(), kept.Name())
	wantAnswer(t, "unix", path.Path, path.Name())
	wantRefused(t, dropped.Name())
}

func TestReclaim(t *testing.T) {
	t.Parallel()
	s := echoName(t)
	path := Spec{Path: filepath.Join(t.TempDir(), "s")}
	apply(t, s, path)
	files, _, err := s.Export(3)
	if err != nil {
		t.Fatal(err)
	}
	files[0].Close()
	s.Reclaim()
	apply(t, s)
	if _, err := os.Stat(path.Path); !os.IsNotExist(err) {
		t.Errorf("the file of a reclaimed socket is left: %v", err)
	}
}

func TestInheritedKeepAlive(t *testing.T) {
	t.Parallel()
	old := echoName(t)
	spec := Spec{Addr: freePort(t)}
	apply(t, old, spec)
	if err := old.Stop(); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	successor := New(Config{Accept: func(c net.Conn, _ *Socket) { accepted <- c }, Report: func(err error) { t.Error(err) }})
	defer successor.Close()
	handOn(t, old, successor)
	apply(t, successor, spec)
	client, err := net.Dial("tcp", spec.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := <-accepted
	defer c.Close()
	if on := sockoptOf(t, c, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); on != 0 {
		t.Error("a connection of an inherited socket has keepalive on")
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"x;", "3", "-1;", strconv.Itoa(fd) + ";"} {
		if err := New(Config{}).Import(value); err == nil {
			t.Errorf("%q was accepted", value)
		}
	}
}
