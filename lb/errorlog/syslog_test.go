package errorlog

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// receive reads one datagram.
func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8192)
	n, _, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func listenPacket(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestSyslogForm(t *testing.T) {
	t.Parallel()
	const at = `[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d `
	tests := []struct {
		name  string
		opts  SyslogOptions
		level Level
		want  string // of the whole datagram
	}{
		{"defaults", SyslogOptions{}, Error, `<187>` + at + `box nginx: hello`},
		{"no host", SyslogOptions{NoHost: true, Tag: "weir"}, Debug, `<191>` + at + `weir: hello`},
		{"facility", SyslogOptions{Facility: "kern"}, Emerg, `<0>` + at + `box nginx: hello`},
		{"facility local0", SyslogOptions{Facility: "local0"}, Info, `<134>` + at + `box nginx: hello`},
	}
	for _, test := range tests {
		server := listenPacket(t, "udp", "127.0.0.1:0")
		test.opts.Server = server.LocalAddr().String()
		l, err := NewSet(Options{Hostname: "box"}).OpenSyslog(test.opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Send(test.level, []byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, server); !regexp.MustCompile("^" + test.want + "$").MatchString(got) {
			t.Errorf("%s: got %q, want %s", test.name, got, test.want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorLogToSyslog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	server := listenPacket(t, "unixgram", path)
	l, err := NewSet(Options{Hostname: "box", PID: 7}).Open([]Target{
		{Level: Warn, Syslog: &SyslogOptions{Server: "unix:" + path, Facility: "daemon", Tag: "edge"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Log(Notice, 3, "too quiet")
	l.Log(Crit, 3, "SSL_write() failed")
	got := receive(t, server)
	if !strings.HasPrefix(got, "<26>") || !strings.HasSuffix(got, " [crit] 7#7: *3 SSL_write() failed") {
		t.Errorf("got %q", got)
	}
}

func TestSyslogServerComesLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	var stderr bytes.Buffer
	l, err := NewSet(Options{Stderr: &stderr}).Open([]Target{{Level: Warn, Syslog: &SyslogOptions{Server: "unix:" + path}}})
	if err != nil {
		t.Fatal(err)
	}
	l.Log(Error, 1, "lost")
	if !strings.Contains(stderr.String(), `connect() to syslog server "unix:`+path+`" failed`) {
		t.Errorf("stderr has %q", &stderr)
	}
	server := listenPacket(t, "unixgram", path)
	l.Log(Error, 1, "found")
	if got := receive(t, server); !strings.HasSuffix(got, "*1 found") {
		t.Errorf("got %q", got)
	}
	_ = server.Close() // a restart: its socket goes and comes back
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.Log(Error, 1, "lost too")
	server = listenPacket(t, "unixgram", path)
	l.Log(Error, 1, "found again")
	if got := receive(t, server); !strings.HasSuffix(got, "*1 found again") {
		t.Errorf("got %q", got)
	}
}

func TestSyslogDoesNotWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listenPacket(t, "unixgram", path) // and nobody reads
	l, err := NewSet(Options{}).OpenSyslog(SyslogOptions{Server: "unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	for range 10000 {
		if l.Send(Info, []byte("x")) != nil {
			lost = true
			break
		}
	}
	if !lost {
		t.Error("a server that takes nothing lost no line")
	}
}

func TestSyslogIsShared(t *testing.T) {
	t.Parallel()
	s := NewSet(Options{})
	o := SyslogOptions{Server: "127.0.0.1:9"}
	a, errA := s.OpenSyslog(o)
	b, errB := s.OpenSyslog(o)
	o.Tag = "other"
	c, errC := s.OpenSyslog(o)
	if errA != nil || errB != nil || errC != nil || a != b || a == c {
		t.Errorf("a %p %v, b %p %v, c %p %v", a, errA, b, errB, c, errC)
	}
}

func TestSyslogSendAllocatesNothing(t *testing.T) {
	server := listenPacket(t, "udp", "127.0.0.1:0")
	l, err := NewSet(Options{}).OpenSyslog(SyslogOptions{Server: server.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	line := []byte("a line\n")
	if n := testing.AllocsPerRun(100, func() {
		if err := l.Send(Info, line); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
