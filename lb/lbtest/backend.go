package lbtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Backend is an upstream server that answers as a test says. It is safe for
// concurrent use.
type Backend struct {
	ln     net.Listener
	answer func(*Call)

	mu    sync.Mutex
	calls []string
	conns map[net.Conn]struct{}
	total int // connections so far
	done  bool
}

// Call is one request that reached a backend.
type Call struct {
	Conn    net.Conn
	Number  int    // of the request on its connection, from 1
	Method  string // of the request line
	Target  string
	Head    string // request line and fields, each with a line feed
	Body    string
	hang    bool
	backend *Backend
	r       *bufio.Reader
}

// Field returns the values of a field of the request, joined by "|".
func (c *Call) Field(name string) string {
	r := Reply{Fields: strings.Split(c.Head, "\n")[1:]}
	return r.Field(name)
}

// Send writes bytes as they are; a balancer that has gone is no error.
func (c *Call) Send(text string) { _, _ = io.WriteString(c.Conn, text) }

// Answer sends a whole reply with fields, "Name: value" each.
func (c *Call) Answer(status int, body string, fields ...string) {
	var s strings.Builder
	fmt.Fprintf(&s, "HTTP/1.1 %d Told\r\nContent-Length: %d\r\n", status, len(body))
	for _, f := range fields {
		s.WriteString(f + "\r\n")
	}
	s.WriteString("\r\n")
	if c.Method != "HEAD" && status != 304 {
		s.WriteString(body)
	}
	c.Send(s.String())
}

// Reset breaks the connection off.
func (c *Call) Reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it only ends in order
	}
	_ = c.Conn.Close() // what was sent is all that there is
}

// Close ends the connection.
func (c *Call) Close() { _ = c.Conn.Close() }

// Hang waits until the balancer ends the connection, at most for Patience.
func (c *Call) Hang() {
	c.hang = true
	_ = c.Conn.SetReadDeadline(time.Now().Add(Patience)) // fails on a closed connection, which is the end
	_, _ = io.Copy(io.Discard, c.r)
	c.Close()
}

// Echo sends back whatever comes, until the end.
func (c *Call) Echo() {
	_, _ = io.Copy(c.Conn, c.r)
	c.Close()
}

// StartBackend listens on a free port. answer is called for every request,
// whose body has been read; a connection goes on with the next request after
// it, unless it was closed.
func StartBackend(tb testing.TB, answer func(*Call)) *Backend {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveBackend(tb, ln, answer)
}

// StartUnixBackend listens on a unix socket.
func StartUnixBackend(tb testing.TB, path string, answer func(*Call)) *Backend {
	tb.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	return serveBackend(tb, ln, answer)
}

// Mirror answers every request with its own head and body.
func Mirror(c *Call) { c.Answer(200, c.Head+"\n"+c.Body) }

func serveBackend(tb testing.TB, ln net.Listener, answer func(*Call)) *Backend {
	b := &Backend{ln: ln, answer: answer, conns: map[net.Conn]struct{}{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if b.enter(conn) {
				all.Go(func() { b.serve(conn) })
			}
		}
	})
	tb.Cleanup(func() {
		b.Stop()
		all.Wait()
	})
	return b
}

func (b *Backend) enter(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		conn.Close()
		return false
	}
	b.conns[conn] = struct{}{}
	b.total++
	return true
}

// Stop ends all connections and takes no new ones.
func (b *Backend) Stop() {
	b.ln.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	for conn := range b.conns {
		conn.Close()
	}
}

// Addr returns the address as proxy_pass and server take it.
func (b *Backend) Addr() string { return b.ln.Addr().String() }

// Calls returns the request lines that have arrived, in order.
func (b *Backend) Calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.calls...)
}

// Conns returns how many connections were made so far.
func (b *Backend) Conns() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// AwaitCalls waits until n requests have arrived.
func (b *Backend) AwaitCalls(tb testing.TB, n int) {
	tb.Helper()
	Await(tb, func() bool { return len(b.Calls()) >= n }, func() string { return fmt.Sprint("requests ", b.Calls()) })
}

func (b *Backend) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		b.mu.Lock()
		delete(b.conns, conn)
		b.mu.Unlock()
	}()
	r := bufio.NewReader(conn)
	for n := 1; ; n++ {
		c := &Call{Conn: conn, Number: n, backend: b, r: r}
		if !c.read() || c.hang {
			return
		}
		b.answer(c)
	}
}

// read reads one request; false at the end of the connection.
func (c *Call) read() bool {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return false
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		c.Head += line + "\n"
	}
	line, _, _ := strings.Cut(c.Head, "\n")
	c.backend.mu.Lock()
	c.backend.calls = append(c.backend.calls, line)
	c.backend.mu.Unlock()
	c.Method, line, _ = strings.Cut(line, " ")
	c.Target, _, _ = strings.Cut(line, " ")
	return c.readBody()
}

func (c *Call) readBody() bool {
	var body []byte
	var err error
	if length := c.Field("Content-Length"); length != "" {
		var n int64
		if n, err = strconv.ParseInt(length, 10, 64); err == nil {
			body, err = io.ReadAll(io.LimitReader(c.r, n))
		}
	} else if strings.EqualFold(c.Field("Transfer-Encoding"), "chunked") {
		if body, err = io.ReadAll(httputil.NewChunkedReader(c.r)); err == nil {
			_, err = c.r.ReadString('\n') // trailers are not expected
		}
	}
	c.Body = string(body)
	return err == nil
}
