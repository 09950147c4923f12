package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// fakeBalancer records what a node does with it.
type fakeBalancer struct {
	mu       sync.Mutex
	calls    []string
	prepared int
	retired  []chan struct{}

	prepare func(n int) error               // the n-th Prepare, from 1; nil succeeds
	drain   func(ctx context.Context) error // nil returns at once
	started func()                          // seen at every Start

	check     error         // result of Check
	discarded chan struct{} // gets every Discard
}

func (b *fakeBalancer) note(call string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call)
}

func (b *fakeBalancer) seen() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.calls, " ")
}

func (b *fakeBalancer) Check(*config.Config) error { b.note("check"); return b.check }

func (b *fakeBalancer) Prepare(*config.Config) (Generation, error) {
	b.note("prepare")
	b.mu.Lock()
	b.prepared++
	n := b.prepared
	b.mu.Unlock()
	if b.prepare != nil {
		if err := b.prepare(n); err != nil {
			return nil, err
		}
	}
	return fakeGeneration{b}, nil
}

func (b *fakeBalancer) Drain(ctx context.Context) error {
	b.note("drain")
	if b.drain == nil {
		return nil
	}
	return b.drain(ctx)
}

func (b *fakeBalancer) Close() error { b.note("close"); return nil }

type fakeGeneration struct{ b *fakeBalancer }

func (g fakeGeneration) Discard() {
	g.b.note("discard")
	g.b.discarded <- struct{}{}
}

func (g fakeGeneration) Start() <-chan struct{} {
	g.b.note("start")
	if g.b.started != nil {
		g.b.started()
	}
	g.b.mu.Lock()
	defer g.b.mu.Unlock()
	gone := make(chan struct{})
	g.b.retired = append(g.b.retired, gone)
	if len(g.b.retired) == 1 {
		return nil
	}
	return gone
}

// retire ends the last request of generation n, from 1.
func (b *fakeBalancer) retire(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.retired[n])
}

// output is an stderr that can be waited for.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait returns when want has been written.
func (o *output) wait(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		if strings.Contains(o.text.String(), want) {
			o.mu.Unlock()
			return
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q was not written:\n%s", want, o)
		}
	}
}

// harness is a running node with a fake balancer.
type harness struct {
	*fakeBalancer
	t      *testing.T
	dir    string
	pid    string
	stderr *output
	orders chan Order
	ready  chan struct{}
	done   chan error

	announced []string // what the pid file held when it was announced; to be read once the node is ready

	mu      sync.Mutex
	cfg     config.Config
	loadErr error
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	dir := t.TempDir()
	h := &harness{
		fakeBalancer: &fakeBalancer{discarded: make(chan struct{}, 4)}, t: t, dir: dir, pid: filepath.Join(dir, "weir.pid"), stderr: &output{},
		orders: make(chan Order), ready: make(chan struct{}), done: make(chan error, 1),
	}
	h.cfg.File = filepath.Join(dir, "weir.conf")
	h.cfg.PID = h.pid
	h.cfg.ErrorLogs = []config.ErrorLog{{Stderr: true, Level: "debug"}}
	return h
}

func (h *harness) options() Options {
	return Options{
		File: h.cfg.File, ErrorLog: StderrLog, Version: "1.2.3", Stderr: h.stderr,
		Announcing:  func() { h.announced = append(h.announced, read(h.t, h.pid)) },
		Ready:       func() error { close(h.ready); return nil },
		NewBalancer: func(BalancerOptions) (Balancer, error) { return h.fakeBalancer, nil },
		Load: func(config.Options) (*config.Config, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.loadErr != nil {
				return nil, h.loadErr
			}
			cfg := h.cfg
			return &cfg, nil
		},
	}
}

// change edits what the next reload loads.
func (h *harness) change(edit func(h *harness)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	edit(h)
}

// run starts the node and waits until it serves.
func (h *harness) run() *harness {
	h.t.Helper()
	h.begin()
	select {
	case <-h.ready:
	case err := <-h.done:
		h.t.Fatalf("the node did not start: %v\n%s", err, h.stderr)
	case <-time.After(patience):
		h.t.Fatal("the node does not start")
	}
	return h
}

func (h *harness) begin() {
	n, err := New(h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	go func() { h.done <- n.Run(h.orders) }()
}

func (h *harness) order(v Verb) {
	h.t.Helper()
	select {
	case h.orders <- Order{Verb: v, Cause: "signal 0 (TEST) received"}:
	case <-time.After(patience):
		h.t.Fatalf("the node takes no orders:\n%s", h.stderr)
	}
}

// end waits until the node has ended.
func (h *harness) end() error {
	h.t.Helper()
	select {
	case err := <-h.done:
		return err
	case <-time.After(patience):
		h.t.Fatalf("the node does not end:\n%s", h.stderr)
		return nil
	}
}

func (h *harness) stop() {
	h.t.Helper()
	h.order(Stop)
	if err := h.end(); err != nil {
		h.t.Fatalf("Run: %v", err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return "(missing)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
