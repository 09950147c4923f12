package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/errorlog"
)

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// front is a balancer of one configuration, in front of scripted peers.
type front struct {
	t    *testing.T
	addr string
	dir  string
	log  *logBuffer
	b    *lb.Balancer
}

// logBuffer holds the error log's lines and lets a test wait for one.
type logBuffer struct {
	mu   sync.Mutex
	more *sync.Cond
	text bytes.Buffer
}

func newLogBuffer() *logBuffer {
	l := &logBuffer{}
	l.more = sync.NewCond(&l.mu)
	return l
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more.Broadcast()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits for a text in the log.
func (l *logBuffer) await(t *testing.T, text string) {
	t.Helper()
	timer := time.AfterFunc(patience, l.more.Broadcast)
	defer timer.Stop()
	end := time.Now().Add(patience)
	l.mu.Lock()
	defer l.mu.Unlock()
	for !strings.Contains(l.text.String(), text) {
		if time.Now().After(end) {
			t.Errorf("no %q in the log:\n%s", text, l.text.String())
			return
		}
		l.more.Wait()
	}
}

// start runs a balancer. In conf, which goes into http, LISTEN stands for the
// listening address and DIR for a folder of the test.
func start(t *testing.T, conf string) *front {
	t.Helper()
	f := &front{t: t, dir: t.TempDir(), log: newLogBuffer(), addr: loopback.Network(t) + "1:8080"}
	logs := errorlog.NewSet(errorlog.Options{Stderr: f.log})
	b, err := lb.New(lb.Options{
		Logs: logs, Version: "1.0", Hostname: "front",
		Log: errorlog.NewFunc(errorlog.Info, func(_ errorlog.Level, _ uint64, m string) { fmt.Fprintln(f.log, m) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.b = b
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	f.reload(conf)
	return f
}

// load reads a configuration.
func (f *front) load(conf string) (*config.Config, error) {
	conf = strings.NewReplacer("LISTEN", f.addr, "DIR", f.dir).Replace(conf)
	file := filepath.Join(f.dir, "weir.conf")
	text := "error_log stderr info;\nhttp {\naccess_log off;\n" + conf + "\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return config.Load(config.Options{File: file, Prefix: f.dir, StateDir: f.dir})
}

func (f *front) reload(conf string) {
	f.t.Helper()
	c, err := f.load(conf)
	if err != nil {
		f.t.Fatal(err)
	}
	p, err := f.b.Prepare(c)
	if err != nil {
		f.t.Fatal(err)
	}
	p.Start()
}

// proxied is a front with one location for everything.
func proxied(t *testing.T, to fmt.Stringer, directives string) *front {
	t.Helper()
	return start(t, "server { listen LISTEN; location / { proxy_pass http://"+to.String()+"; "+directives+" } }")
}

// dial connects a client.
func (f *front) dial() *wireClient {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &wireClient{t: f.t, Conn: c, r: bufio.NewReader(c)}
}

// ask sends a request and returns all that comes until the connection closes.
func (f *front) ask(raw string) string {
	f.t.Helper()
	c := f.dial()
	c.send(raw)
	return c.rest()
}

// get is ask for a plain GET.
func (f *front) get(path string) string {
	f.t.Helper()
	return f.ask("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
}

// wireClient is one end of a connection in a test, client's or peer's.
type wireClient struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (c *wireClient) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Errorf("send: %v", err)
	}
}

// rest reads until the other side closes.
func (c *wireClient) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Errorf("read: %v after %q", err, clip(string(b)))
	}
	return string(b)
}

// head reads up to the empty line.
func (c *wireClient) head() string {
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// message reads one message with Content-Length or chunks, or without a body.
func (c *wireClient) message() (head, body string) {
	head = c.head()
	lower := strings.ToLower(head)
	if _, after, ok := strings.Cut(lower, "\r\ncontent-length: "); ok {
		digits, _, _ := strings.Cut(after, "\r\n")
		n, err := strconv.Atoi(digits)
		if err != nil {
			c.t.Errorf("length %q", digits)
		}
		b := make([]byte, n)
		m, _ := io.ReadFull(c.r, b)
		return head, string(b[:m])
	}
	if strings.Contains(lower, "\r\ntransfer-encoding: chunked") {
		return head, c.chunks()
	}
	return head, ""
}

func (c *wireClient) chunks() string {
	var body strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return body.String() + "!cut"
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return body.String() + "!bad"
		}
		if n == 0 {
			for line != "\r\n" && err == nil { // trailers
				line, err = c.r.ReadString('\n')
			}
			return body.String()
		}
		if _, err := io.CopyN(&body, c.r, n); err != nil {
			return body.String() + "!cut"
		}
		_, _ = c.r.Discard(2)
	}
}

// gone waits for the other side to close or reset.
func (c *wireClient) gone() bool {
	_, err := c.r.ReadByte()
	ne, timeout := err.(net.Error)
	return err != nil && !(timeout && ne.Timeout())
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:200] + "…" + s[len(s)-80:]
	}
	return s
}

// peer is a scripted upstream.
type peer struct {
	net.Listener
	name   string
	dialed atomic.Int32
	heads  chan string // of the requests received, where the script puts them
}

func (p *peer) String() string { return p.name }

// listenPeer accepts connections and runs script on each.
func listenPeer(t *testing.T, l net.Listener, name string, script func(c *wireClient)) *peer {
	p := &peer{Listener: l, name: name, heads: make(chan string, 100)}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.dialed.Add(1)
			mu.Lock()
			open[c] = true
			mu.Unlock()
			_ = c.SetDeadline(time.Now().Add(patience))
			running.Go(func() {
				script(&wireClient{t: t, Conn: c, r: bufio.NewReader(c)})
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return p
}

func newPeer(t *testing.T, script func(c *wireClient)) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listenPeer(t, l, l.Addr().String(), script)
}

func newTLSPeer(t *testing.T, conf *tls.Config, script func(c *wireClient)) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listenPeer(t, tls.NewListener(l, conf), l.Addr().String(), script)
}

// answering is a peer that answers each request of a connection with the
// next of replies, the last of them again and again; an empty one closes the
// connection without an answer. What it received is in heads.
func answering(t *testing.T, replies ...string) *peer {
	t.Helper()
	var p *peer
	var n atomic.Int32
	ready := make(chan struct{})
	p = newPeer(t, func(c *wireClient) {
		<-ready
		for {
			head, body := c.message()
			if head == "" {
				return
			}
			p.heads <- head + body
			i := min(int(n.Add(1)), len(replies)) - 1
			if replies[i] == "" {
				return
			}
			c.send(replies[i])
			if closes(replies[i]) {
				return
			}
		}
	})
	close(ready)
	return p
}

// closes tells whether a scripted reply ends with its connection.
func closes(reply string) bool {
	lower := strings.ToLower(reply)
	return strings.Contains(lower, "connection: close") ||
		!strings.Contains(lower, "content-length:") && !strings.Contains(lower, "chunked") &&
			!strings.Contains(lower, " 204 ") && !strings.Contains(lower, " 304 ")
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// received takes the next request from a channel of them.
func (p *peer) received(t *testing.T) string {
	t.Helper()
	select {
	case h := <-p.heads:
		return h
	case <-time.After(patience):
		t.Fatal("nothing reached the peer")
		return ""
	}
}

// status is the first line of a reply without its version.
func status(reply string) string {
	line, _, _ := strings.Cut(reply, "\r\n")
	return strings.TrimPrefix(line, "HTTP/1.1 ")
}

// field returns the values of a reply's fields of a name, joined by " | ".
func field(reply, name string) string {
	head, _, _ := strings.Cut(reply, "\r\n\r\n")
	var all []string
	for _, line := range strings.Split(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			all = append(all, strings.TrimSpace(v))
		}
	}
	return strings.Join(all, " | ")
}
