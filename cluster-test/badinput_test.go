package clustertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBadRequestsEndOnlyThemselves sends malformed and ambiguous requests to the real program, each followed by a whole
// request that must not be answered: the status is as it should be, the connection closes, nothing reaches a server, the
// access log tells of it, and weir lives on.
func TestBadRequestsEndOnlyThemselves(t *testing.T) {
	t.Parallel()
	b := startBinary(t)
	const host = "Host: weir\r\n"
	cases := []struct {
		name, request string
		status        int
	}{
		{"both lengths", "POST /webapp/echo HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"two lengths", "POST /webapp/echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
		{"signed length", "POST /webapp/echo HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na", 400},
		{"unknown coding", "POST /webapp/echo HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
		{"chunked in HTTP/1.0", "POST /webapp/echo HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"no Host", "GET /webapp/echo HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET /webapp/echo HTTP/1.1\r\n" + host + host + "\r\n", 400},
		{"bad Host", "GET /webapp/echo HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"blank before the colon", "GET /webapp/echo HTTP/1.1\r\n" + host + "X : y\r\n\r\n", 400},
		{"folded field", "GET /webapp/echo HTTP/1.1\r\n" + host + "X: y\r\n z\r\n\r\n", 400},
		{"NUL in a field", "GET /webapp/echo HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
		{"bare CR in a field", "GET /webapp/echo HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
		{"NUL in the path", "GET /webapp/%00 HTTP/1.1\r\n" + host + "\r\n", 400},
		{"above the root", "GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 400},
		{"unknown version", "GET /webapp/echo HTTP/3.0\r\n" + host + "\r\n", 505},
		{"no version", "GET /webapp/echo\r\n", 400},
		{"no request", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"long line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\n" + host + "\r\n", 414},
		{"long field", "GET /webapp/echo HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 9000) + "\r\n\r\n", 400},
		{"many fields", "GET /webapp/echo HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 6000) + "\r\n", 400},
	}
	for _, c := range cases {
		if got, err := b.sendBad(c.request); err != nil || got != c.status {
			t.Errorf("%s: status %d, %v; want %d and the end of the connection", c.name, got, err, c.status)
		}
	}
	select {
	case <-b.Done():
		t.Fatal(b.Failure())
	default:
	}
	b.Stop(syscall.SIGQUIT, limit) // writes what is left of the log
	text, err := os.ReadFile(filepath.Join(b.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != len(cases) {
		t.Errorf("%d lines in the access log, not %d:\n%s", n, len(cases), text)
	}
}

// sendBad returns the status of the only reply to a bad request.
func (b *binary) sendBad(request string) (int, error) {
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	// A write may fail when weir has seen enough; what it answered is there to be read all the same.
	io.WriteString(conn, request+"GET /webapp/health HTTP/1.1\r\nHost: weir\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return resp.StatusCode, err
	}
	if server := resp.Header.Get("X-Server"); server != "" {
		return resp.StatusCode, fmt.Errorf("server %s has seen it", server)
	}
	if rest, _ := io.ReadAll(r); len(rest) != 0 {
		return resp.StatusCode, fmt.Errorf("a second reply: %.60q", rest)
	}
	return resp.StatusCode, nil
}

// TestBrokenRepliesLookBroken: what a server sent before it broke off reaches the client, who sees that the end is
// missing; and a reply that breaks off is no reason to shut the server out.
func TestBrokenRepliesLookBroken(t *testing.T) {
	t.Parallel()
	b := startBinary(t)
	for _, kb := range []int{1, 4, 200, 1000} {
		resp, err := http.Get(fmt.Sprintf("http://%s/webapp/drop?kb=%d", b.addr, kb))
		if err != nil {
			t.Errorf("%d KB: %v", kb, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || err == nil || len(body) != kb<<10 {
			t.Errorf("%d KB: %s, %d bytes, %v; want all that was sent, and an error", kb, resp.Status, len(body), err)
		}
	}
	seen := map[string]bool{}
	for range 4 {
		resp, err := http.Get("http://" + b.addr + "/webapp/health")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		seen[resp.Header.Get("X-Server")] = true
	}
	if len(seen) != 2 {
		t.Errorf("only %v answer after the broken replies", seen)
	}
}
