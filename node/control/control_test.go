package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSocket: the socket is its owner's alone, one that a dead process left is
// replaced, and one that is in use, or is no socket, stays.
func TestSocket(t *testing.T) {
	t.Parallel()
	path, _, _ := serveFake(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := listen(path); err == nil || !strings.Contains(err.Error(), "another weir uses it") {
		t.Errorf("beside a live one: %v", err)
	}
	dir := filepath.Dir(path)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(file); err == nil || !strings.Contains(err.Error(), "another file") {
		t.Errorf("beside a file: %v", err)
	}
	if _, err := listen(filepath.Join(dir, strings.Repeat("a", 120))); err == nil || !strings.Contains(err.Error(), "the system takes 107") {
		t.Errorf("long path: %v", err)
	}
	if _, err := listen(filepath.Join(dir, "none", "s")); err == nil || !strings.Contains(err.Error(), "2: No such file or directory") {
		t.Errorf("no folder: %v", err)
	}
	stale := filepath.Join(dir, "stale")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := listen(stale)
	if err != nil {
		t.Fatalf("instead of a dead one: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestStrangers: the door knows who comes; who may not is turned away and told
// of.
func TestStrangers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1)
	first := true
	d := &door{l, func(uid int) bool {
		defer func() { first = false }()
		return uid == os.Geteuid() && !first
	}, func(user string) { told <- user }}
	var conns [2]net.Conn
	for i := range conns {
		if conns[i], err = net.Dial("unix", path); err != nil {
			t.Fatal(err)
		}
	}
	c, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if user := <-told; user != c.(*visit).user || user != userName(os.Geteuid()) {
		t.Errorf("%q was refused, %q came in", user, c.(*visit).user)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err == nil {
		t.Error("who was turned away is still there")
	}
	if err := errors.Join(c.Close(), d.Close(), conns[0].Close(), conns[1].Close()); err != nil {
		t.Error(err)
	}
}

// TestClient: the other end says what the routes say, and what it means that
// nobody answers.
func TestClient(t *testing.T) {
	t.Parallel()
	path, node, _ := serveFake(t)
	c := &Client{Path: path}
	ctx := t.Context()
	s, err := c.Status(ctx)
	if err != nil || s.Cluster.Leader.String() != "lb1" || s.Applied != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	if m, err := c.Members(ctx); err != nil || len(m) != 1 || m[0].Name != "lb1" {
		t.Errorf("%+v, %v", m, err)
	}
	if list, err := c.Upstreams(ctx); err != nil || len(list) != 1 || *list[0].Servers[0].Weight != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if u, err := c.Upstream(ctx, "a/b"); err != nil || u.Name != "a/b" {
		t.Errorf("%+v, %v", u, err)
	}
	var f *Failure
	if _, err := c.Upstream(ctx, "c"); !errors.As(err, &f) || f.Error() != `there is no upstream "c"; there are: a/b` {
		t.Errorf("%v", err)
	}
	o, err := c.AddServer(ctx, "a/b", NewServer{Server: "unix:/a b?c"})
	if err != nil || o.Index != 8 || len(o.Request) != 32 {
		t.Errorf("%+v, %v", o, err)
	}
	c.Linearizable, c.Request = true, strings.Repeat("0", 32)
	if o, err := c.Outcome(ctx, c.Request); err != nil || o.Index != 5 {
		t.Errorf("%+v, %v", o, err)
	}
	want := []string{`add to "a/b": unix:/a b?c [], patience -1ns`, "catch up"}
	if heard := node.take(); !slices.Equal(heard, want) {
		t.Errorf("%q", heard)
	}
	if _, err := c.RemoveServer(ctx, "misty", "x"); !errors.As(err, &f) || f.Code != OutcomeUnknown || f.Request != c.Request {
		t.Errorf("%v", err)
	}
	var nobody *UnreachableError
	c.Path += "none"
	if _, err := c.Leave(ctx); !errors.As(err, &nobody) || !strings.HasSuffix(err.Error(), "failed (2: No such file or directory): is weir running?") {
		t.Errorf("%v", err)
	}
}

// TestNoAnswer: a write that was sent, and not answered, may have been done.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}()
	_, err = (&Client{Path: path}).RemoveServer(context.Background(), "u", "s")
	var f *Failure
	if !errors.As(err, &f) || f.Code != OutcomeUnknown || !isRequest(f.Request) {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestManyKnown: of thousands of names that there are, a few are told in words.
func TestManyKnown(t *testing.T) {
	t.Parallel()
	f := &Failure{Text: "no"}
	for i := range 25 {
		f.Known = append(f.Known, fmt.Sprint("s", i))
	}
	if got := f.Error(); !strings.HasPrefix(got, "no; there are: s0, s1, ") || !strings.HasSuffix(got, "s19, and 5 more") {
		t.Error(got)
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, out, fails string }{
		{"", "", ""},
		{"backup weight=2 fail_timeout=5s route=a=b", "weight=2 fail_timeout=5s route=a=b backup", ""},
		{"drain=off down=on resolve max_conns=0 max_fails=0 service=http slow_start=1m", "max_conns=0 max_fails=0 slow_start=1m service=http resolve down drain=off", ""},
		{"weight=", "", `invalid parameter "weight="`},
		{"weight=x", "", `invalid parameter "weight=x"`},
		{"weight", "", `invalid parameter "weight"`},
		{"route", "", `invalid parameter "route"`},
		{"down=maybe", "", `invalid parameter "down=maybe"`},
		{"color=red", "", `invalid parameter "color=red"`},
		{"down down", "", `parameter "down" is given twice`},
	} {
		p, err := ParseParameters(strings.Fields(c.in))
		said := ""
		if err != nil {
			said = err.Error()
		}
		if out := strings.Join(p.Words(), " "); out != c.out || said != c.fails {
			t.Errorf("%q: %q, %q", c.in, out, said)
		}
	}
}

// FuzzDecode: whatever is in a body, it is read strictly or refused, and what is
// read is written as words that are read again as the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"server":"a:80","weight":2,"backup":true}`, `{"order":"up","why":"x","route":"a b"}`, `[]`, `{"a":1}`, "", `{}{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var s NewServer
		var e ServerEdit
		var r Rotation
		var c Recovery
		for _, into := range []any{&r, &c, &e} {
			if err := decode(bytes.NewReader(body), into); err != nil && errors.Unwrap(err) != nil {
				t.Errorf("%T: %v", into, err)
			}
		}
		if decode(bytes.NewReader(body), &s) != nil {
			return
		}
		words := s.Words()
		again, err := ParseParameters(words)
		if err != nil || !slices.Equal(again.Words(), words) {
			t.Errorf("%q: %q, %v", words, again.Words(), err)
		}
	})
}
