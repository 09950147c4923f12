package clustertest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/node"
)

// limit bounds every wait of the tests with whole nodes.
const limit = time.Minute

// weir is a whole node in this process that serves on one address.
type weir struct {
	t      testing.TB
	file   string
	addr   string
	orders chan node.Order
	done   chan error
	http   *http.Client

	mu  sync.Mutex
	log bytes.Buffer
}

// startWeir runs a node until the test ends. The text is what stands in http; LISTEN in it is the address to serve on.
func startWeir(t testing.TB, conf string) *weir {
	t.Helper()
	dir := t.TempDir()
	w := &weir{
		t: t, file: filepath.Join(dir, "weir.conf"), addr: freeAddress(t), orders: make(chan node.Order), done: make(chan error, 1),
		http: &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	w.write(conf)
	ready := make(chan struct{})
	n, err := node.New(node.Options{File: w.file, ErrorLog: node.StderrLog, Version: "test", Stderr: w, Ready: func() error { close(ready); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	go func() { w.done <- n.Run(w.orders) }()
	select {
	case <-ready:
	case err := <-w.done:
		t.Fatalf("weir does not start: %v\n%s", err, w.text())
	case <-time.After(limit):
		t.Fatal("weir does not start")
	}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		close(w.orders)
		if err := <-w.done; err != nil {
			t.Error("weir:", err)
		}
		if t.Failed() {
			t.Logf("weir said last:\n%s", w.lastLines(40))
		}
	})
	return w
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	return loopback.Free(t).String()
}

func (w *weir) write(conf string) {
	w.t.Helper()
	text := "error_log stderr info; events {} http { access_log off; " + strings.ReplaceAll(conf, "LISTEN", w.addr) + " }"
	if err := os.WriteFile(w.file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// reload puts another configuration in force.
func (w *weir) reload(conf string) {
	w.t.Helper()
	w.write(conf)
	n := strings.Count(w.text(), " serves\n")
	w.orders <- node.Order{Verb: node.Reload, Cause: "test"}
	w.await(func() error {
		if strings.Count(w.text(), " serves\n") == n {
			return fmt.Errorf("no generation after %d serves", n)
		}
		return nil
	})
}

// Write takes what the node writes to stderr.
func (w *weir) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *weir) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *weir) lastLines(n int) string {
	lines := strings.Split(w.text(), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// get returns the body of a reply, or the status where that is not 200.
func (w *weir) get(path string) string {
	resp, err := w.http.Get("http://" + w.addr + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err.Error()
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprint(resp.StatusCode)
	}
	return strings.TrimSpace(string(body))
}

// seen asks n times and tells who answered, sorted, each once.
func (w *weir) seen(n int) string {
	who := map[string]bool{}
	for range n {
		who[w.get("/")] = true
	}
	return strings.Join(sortedKeys(who), " ")
}

// awaitSeen waits until n requests in a row are answered by the named ones.
func (w *weir) awaitSeen(n int, want string) {
	w.t.Helper()
	w.await(func() error {
		if got := w.seen(n); got != want {
			return fmt.Errorf("answered by %s, want %s", got, want)
		}
		return nil
	})
}

// awaitLog waits until something has been logged.
func (w *weir) awaitLog(want string) {
	w.t.Helper()
	w.await(func() error {
		if !strings.Contains(w.text(), want) {
			return fmt.Errorf("%q was not logged", want)
		}
		return nil
	})
}

// await asks until there is no error.
func (w *weir) await(ask func() error) {
	w.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			w.t.Fatal(err)
		case <-tick.C:
		}
	}
}
