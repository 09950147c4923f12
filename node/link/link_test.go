package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// diary is a log that tests can wait for.
type diary struct {
	mu    sync.Mutex
	lines []string
	news  chan struct{}
}

func newDiary() *diary { return &diary{news: make(chan struct{}, 1000)} }

func (d *diary) log(text string) {
	d.mu.Lock()
	d.lines = append(d.lines, text)
	d.mu.Unlock()
	d.news <- struct{}{}
}

// has waits for a line with part in it.
func (d *diary) has(t *testing.T, part string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		d.mu.Lock()
		all := strings.Join(d.lines, "\n")
		d.mu.Unlock()
		if strings.Contains(all, part) {
			return
		}
		select {
		case <-d.news:
		case <-deadline:
			t.Fatalf("no line with %q in:\n%s", part, all)
		}
	}
}

func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lines)
}

// node is a link for tests.
type node struct {
	*Link
	addr  string
	diary *diary
}

func start(t *testing.T, o Options) node {
	t.Helper()
	var err error
	if o.Listener == nil {
		if o.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	n := node{addr: o.Listener.Addr().String(), diary: newDiary()}
	o.Log = n.diary.log
	if o.Identity == nil {
		o.Identity = NewIdentity()
	}
	if o.Cluster == "" {
		o.Cluster = "shop"
	}
	if n.Link, err = Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func echo(_ context.Context, from Peer, body []byte) ([]byte, error) {
	return fmt.Appendf(nil, "%s says %s", from.ID, body), nil
}

// TestCall: a call comes to its handler, which learns who calls, and back.
func TestCall(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	a := start(t, Options{Secrets: secrets})
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{
		"echo": echo,
		"fail": func(context.Context, Peer, []byte) ([]byte, error) { return nil, errors.New("not today") },
		"long": func(context.Context, Peer, []byte) ([]byte, error) { return make([]byte, MaxBody+1), nil },
		"trip": func(context.Context, Peer, []byte) ([]byte, error) { panic("tripped") },
	}})
	for range 3 { // the second over the connection of the first
		if got, err := a.Call(within(t), b.addr, "echo", []byte("hello")); err != nil || string(got) != a.Self().ID+" says hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for _, c := range []struct {
		verb   string
		body   int
		said   string
		undone bool
	}{
		{"fail", 0, "not today", false},
		{"long", 0, "the answer has 1048577 bytes, more than 1048576", false},
		{"trip", 0, "panic: tripped", false},
		{"none", 0, `this version of weir knows no call "none"`, true},
		{"echo", MaxBody + 1, "cannot be sent", true},
		{"", 0, "cannot be sent", true},
	} {
		_, err := a.Call(within(t), b.addr, c.verb, make([]byte, c.body))
		var failed *CallError
		if !errors.As(err, &failed) || failed.Undone != c.undone || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v", c.verb, err)
		}
	}
	if got, err := a.Call(within(t), b.addr, "echo", make([]byte, MaxBody-100)); err != nil || len(got) < MaxBody-100 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	b.diary.has(t, "panic: tripped")
}

// TestCallAfterRestart: connections that died while they waited cost nothing.
func TestCallAfterRestart(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	a := start(t, Options{Secrets: secrets})
	listener, err := net.Listen("tcp", loopback.Free(t).String()) // a port that nobody takes between two starts
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Secrets: secrets, Cluster: "shop", Identity: NewIdentity(), Handlers: map[string]Handler{"echo": echo}, Log: newDiary().log}
	for range 3 {
		o.Listener = listener
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Call(within(t), listener.Addr().String(), "echo", nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if listener, err = net.Listen("tcp", listener.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	_ = listener.Close() // nobody listens any more
	var failed *CallError
	if _, err := a.Call(within(t), listener.Addr().String(), "echo", nil); !errors.As(err, &failed) {
		t.Fatal(err)
	}
}

// TestCallDeadline: who calls waits no longer than it wants to, and the handler
// knows for how long that is.
func TestCallDeadline(t *testing.T) {
	t.Parallel()
	const asked = 40 * time.Second // less than any call may take
	secrets := []*Secret{NewSecret()}
	until, gone := make(chan time.Time, 1), make(chan struct{})
	a := start(t, Options{Secrets: secrets})
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"wait": func(ctx context.Context, _ Peer, _ []byte) ([]byte, error) {
		deadline, _ := ctx.Deadline()
		until <- deadline
		<-gone
		return nil, ctx.Err()
	}}})
	from := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), asked)
	defer cancel()
	failed := make(chan error, 1)
	go func() { _, err := a.Call(ctx, b.addr, "wait", nil); failed <- err }()
	select {
	case deadline := <-until: // later than asked for by as long as the call was under way
		if deadline.Before(from.Add(asked-time.Second)) || deadline.After(time.Now().Add(asked)) {
			t.Errorf("the handler may go on until %v, %v after it was called", deadline, deadline.Sub(from))
		}
	case err := <-failed:
		t.Fatal(err)
	}
	cancel()
	var err *CallError
	if !errors.As(<-failed, &err) || err.Undone || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(gone)
}

// TestCallThatIsGivenUp: who gives up a call does not wait, and the next call uses
// its connection when the answer has come.
func TestCallThatIsGivenUp(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	a := start(t, Options{Secrets: secrets})
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"wait": func(context.Context, Peer, []byte) ([]byte, error) {
		asked <- struct{}{}
		<-answer
		return []byte("done"), nil
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := a.Call(ctx, b.addr, "wait", nil)
	var failed *CallError
	if !errors.As(err, &failed) || failed.Undone || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(answer)
	var late *Conn
	for deadline := time.Now().Add(lateTime); late == nil && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
		late = a.pool.take(b.addr)
	}
	if late == nil {
		t.Fatal("the connection is lost")
	}
	a.pool.put(b.addr, late)
	if text, err := a.Call(within(t), b.addr, "wait", nil); err != nil || string(text) != "done" {
		t.Errorf("%q, %v", text, err)
	}
	if again := a.pool.take(b.addr); again != late {
		t.Error("another connection was opened")
	}
}

// TestStreams: connections come out where they belong, and say who they are of.
func TestStreams(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	a, b := start(t, Options{Secrets: secrets}), start(t, Options{Secrets: secrets})
	for _, s := range []struct{ from, to *Stream }{{a.Raft(), b.Raft()}, {a.Sync(), b.Sync()}} {
		out, err := s.from.Dial(within(t), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.to.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := in.(*Conn).Peer().ID; got != a.Self().ID {
			t.Errorf("accepted of %s", got)
		}
		if got := out.(*Conn).Peer().ID; got != b.Self().ID {
			t.Errorf("dialled %s", got)
		}
		if _, err := out.Write([]byte("entry")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(in, got); err != nil || string(got) != "entry" {
			t.Errorf("%q, %v", got, err)
		}
		_, _ = in.Close(), out.Close()
	}
	if err := b.Sync().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sync().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestRefused: who does not belong here is refused, and both sides say why.
func TestRefused(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	known := NewIdentity()
	admit := func(p Peer) error {
		if p.ID == known.ID && !p.Key.Equal(known.PublicKey()) {
			return errors.New("it joined with another key")
		}
		return nil
	}
	thief := NewIdentity()
	thief.ID = known.ID
	for _, c := range []struct {
		name  string
		o     Options
		here  string // what the node that dials says
		there string
	}{
		{"secret", Options{Secrets: []*Secret{NewSecret()}}, "it has another cluster secret", "has another cluster secret or another cluster's name"},
		{"cluster", Options{Secrets: secrets, Cluster: "bank"}, `it belongs to cluster "shop", this is "bank"`, "another cluster's name"},
		{"identity", Options{Secrets: secrets, Identity: thief}, "refuses: node " + known.ID + ": it joined with another key", "it joined with another key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, Options{Secrets: secrets, Admit: admit})
			a := start(t, c.o)
			for range 3 {
				_, err := a.Call(within(t), b.addr, "echo", nil)
				var failed *CallError
				if !errors.As(err, &failed) || !failed.Undone || !strings.Contains(err.Error(), c.here) {
					t.Errorf("%v", err)
				}
			}
			b.diary.has(t, c.there)
			if n := b.diary.count(); n != 1 {
				t.Errorf("%d lines", n)
			}
		})
	}
}

// TestStolenName: a node does not talk to one that has taken another's name.
func TestStolenName(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	b := start(t, Options{Secrets: secrets})
	a := start(t, Options{Secrets: secrets, Admit: func(Peer) error { return errors.New("it was removed") }})
	if _, err := a.Raft().Dial(within(t), b.addr); err == nil || !strings.Contains(err.Error(), "it was removed") {
		t.Error(err)
	}
}

// TestOutside: what comes from an address that is not allowed is closed before
// anything is read of it, is counted, and told once. A node comes from the
// address at which it listens.
func TestOutside(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"echo": echo}, Allow: func(from netip.Addr) bool {
		return from == netip.MustParseAddr("127.0.0.1")
	}})
	for i := range 3 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		c, err := d.DialContext(within(t), "tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("connection %d: %d bytes, %v", i, n, err)
		}
	}
	b.diary.has(t, "refused a connection of 127.0.0.2: its address is not allowed")
	if b.Outside() != 3 || b.diary.count() != 1 {
		t.Errorf("%d are counted, %d lines", b.Outside(), b.diary.count())
	}

	elsewhere, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from net.Listener // nil: at 127.0.0.1
		ok   bool
	}{{nil, true}, {elsewhere, false}} {
		a := start(t, Options{Secrets: secrets, Listener: c.from})
		if _, err := a.Call(within(t), b.addr, "echo", []byte("hello")); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	b.diary.has(t, "refused a connection of 127.0.0.3: its address is not allowed")
}

// TestRecheck: a node that is removed loses its connections, and its calls.
func TestRecheck(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	var removed sync.Map
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"echo": echo}, Admit: func(p Peer) error {
		if _, gone := removed.Load(p.ID); gone {
			return errors.New("it was removed")
		}
		return nil
	}})
	a := start(t, Options{Secrets: secrets})
	stream, err := a.Raft().Dial(within(t), b.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Call(within(t), b.addr, "echo", nil); err != nil {
		t.Fatal(err)
	}
	removed.Store(a.Self().ID, true)
	b.Recheck()
	if _, err := stream.Read(make([]byte, 1)); err == nil {
		t.Error("the stream goes on")
	}
	if _, err := a.Call(within(t), b.addr, "echo", nil); err == nil || !strings.Contains(err.Error(), "it was removed") {
		t.Error(err)
	}
}

// TestAdmitCaller: a node that is not admitted may call all the same, and has no
// streams.
func TestAdmitCaller(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	b := start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"echo": echo},
		Admit: func(Peer) error { return errors.New("it was removed") }, AdmitCaller: func(Peer) error { return nil }})
	a := start(t, Options{Secrets: secrets})
	for range 2 {
		if _, err := a.Call(within(t), b.addr, "echo", nil); err != nil {
			t.Error(err)
		}
		b.Recheck()
	}
	if _, err := a.Raft().Dial(within(t), b.addr); err == nil || !strings.Contains(err.Error(), "it was removed") {
		t.Error(err)
	}
}

// TestNewSecret: with a new secret, those who know only the old one are shut out.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	old, next := NewSecret(), NewSecret()
	a := start(t, Options{Secrets: []*Secret{old}, Handlers: map[string]Handler{"echo": echo}})
	b := start(t, Options{Secrets: []*Secret{old}, Handlers: map[string]Handler{"echo": echo}})
	call := func(from, to node) error {
		_, err := from.Call(within(t), to.addr, "echo", nil)
		return err
	}
	for _, step := range []struct {
		of      node
		secrets []*Secret
	}{{a, []*Secret{old, next}}, {b, []*Secret{next, old}}, {a, []*Secret{next}}} {
		if err := step.of.SetSecrets(step.secrets); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(call(a, b), call(b, a)); err != nil {
			t.Fatal(err)
		}
	}
	thief := start(t, Options{Secrets: []*Secret{old}})
	if err := call(thief, a); err == nil {
		t.Error("the old secret still opens the door")
	}
}

// TestGarbage: what is no node gets nowhere, holds nothing, and is told once.
func TestGarbage(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Secrets: []*Secret{NewSecret()}, Handlers: map[string]Handler{"echo": echo}})
	for range 20 {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: lb\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, c) // until it is closed
		_ = c.Close()
	}
	b.diary.has(t, "refused a connection of 127.0.0.1: it speaks no TLS")
	if n := b.diary.count(); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// TestNoCertificate: TLS alone opens nothing.
func TestNoCertificate(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Secrets: []*Secret{NewSecret()}})
	c, err := tls.Dial("tcp", b.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocolCall}})
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if err == nil {
		t.Error("let in")
	}
	b.diary.has(t, "certificate")
}

// TestSilence: who connects and says nothing gives way to those who do.
func TestSilence(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	a, b := start(t, Options{Secrets: secrets}), start(t, Options{Secrets: secrets, Handlers: map[string]Handler{"echo": echo}})
	for range maxHandshakes + 10 {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := a.Call(within(t), b.addr, "echo", nil); err != nil {
		t.Fatal(err)
	}
	b.diary.has(t, "gave way")
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.handshakes) > maxHandshakes {
		t.Errorf("%d handshakes", len(b.handshakes))
	}
}

// TestOversized: a node that announces too much is cut off.
func TestOversized(t *testing.T) {
	t.Parallel()
	secrets := []*Secret{NewSecret()}
	a, b := start(t, Options{Secrets: secrets}), start(t, Options{Secrets: secrets})
	c, err := a.dial(within(t), b.addr, protocolCall)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("answered")
	}
	b.diary.has(t, "malformed frame: 4294967295 bytes are announced")
}
