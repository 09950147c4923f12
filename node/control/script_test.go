package control

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weir-lb/weir/cluster-test/golden"
)

// serveFake serves a fake node in a folder of the test.
func serveFake(t *testing.T) (path string, node *fakeNode, logged func() []string) {
	t.Helper()
	node = &fakeNode{}
	var mu sync.Mutex
	var lines []string
	dir, err := os.MkdirTemp("", "weir") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = SocketPath(dir)
	s, err := Open(Options{Path: path, Node: node, Log: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return path, node, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}

// TestRoutes follows testdata/routes.txt: what is sent, what the node hears of
// it, and what comes back.
func TestRoutes(t *testing.T) {
	t.Parallel()
	path, node, logged := serveFake(t)
	file := filepath.Join("testdata", "routes.txt")
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	var out bytes.Buffer
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSpace(line)
		if ask, ok := strings.CutPrefix(line, "> "); ok {
			fmt.Fprintf(&out, "> %s\n", ask)
			exchange(t, client, ask, node, &out)
		} else if line == "" || line[0] == '#' {
			fmt.Fprintln(&out, line)
		}
	}
	for _, text := range logged() {
		fmt.Fprintf(&out, "! %s\n", text)
	}
	golden.Compare(t, file, out.String())
}

// exchange sends "METHOD PATH [BODY]" and writes what came of it.
func exchange(t *testing.T, client *http.Client, ask string, node *fakeNode, out io.Writer) {
	t.Helper()
	method, rest, _ := strings.Cut(ask, " ")
	path, body, _ := strings.Cut(rest, " ")
	if body == "(long)" {
		body = `{"server":"` + strings.Repeat("a", MaxBody) + `"}`
	}
	r, err := http.NewRequest(method, "http://weir"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(headerRequest, strings.Repeat("ab", 16))
	if strings.Contains(path, "badname") {
		r.Header.Set(headerRequest, "AB")
	}
	reply, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reply.Body)
	if err := reply.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, heard := range node.take() {
		fmt.Fprintf(out, "  %s\n", heard)
	}
	fmt.Fprintf(out, "%d", reply.StatusCode)
	for _, name := range []string{headerIndex, headerApplied, "Retry-After", "Allow"} {
		if value := reply.Header.Get(name); value != "" {
			fmt.Fprintf(out, " %s:%s", name, value)
		}
	}
	fmt.Fprintf(out, " %s", text)
}
