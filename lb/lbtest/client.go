package lbtest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Client is a connection to a balancer on which a test writes raw bytes and
// reads replies. Whatever takes longer than Patience fails the test.
type Client struct {
	net.Conn
	tb testing.TB
	r  *bufio.Reader
}

// NewClient wraps a connection, which is closed when the test ends.
func NewClient(tb testing.TB, conn net.Conn) *Client {
	tb.Cleanup(func() { conn.Close() })
	return &Client{Conn: conn, tb: tb, r: bufio.NewReader(conn)}
}

// TLS shakes hands and returns the client inside of TLS.
func (c *Client) TLS(cfg *tls.Config) (*Client, error) {
	conn := tls.Client(c.Conn, cfg)
	conn.SetDeadline(time.Now().Add(Patience))
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	return NewClient(c.tb, conn), nil
}

// Send writes bytes as they are.
func (c *Client) Send(text string) {
	c.tb.Helper()
	c.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(c, text); err != nil {
		c.tb.Fatal("send:", err)
	}
}

// Ask sends a request line and fields, separated by line feeds, and returns
// the reply.
func (c *Client) Ask(lines string) *Reply {
	c.tb.Helper()
	c.Send(strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\r\n") + "\r\n\r\n")
	if strings.HasPrefix(lines, "HEAD ") {
		return c.HeadReply()
	}
	return c.Reply()
}

// Reply is one reply as it came.
type Reply struct {
	Line   string   // the status line
	Status int      // from it; 0: the connection ended before it was there
	Fields []string // "Name: value", in order, trailers behind the others
	Body   string   // without chunk framing
	Broken bool     // the connection ended before the body was complete
	Closed bool     // the body's end was the connection's
}

// Field returns the values of a field, joined by "|".
func (r *Reply) Field(name string) string {
	var values []string
	for _, f := range r.Fields {
		if n, v, _ := strings.Cut(f, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return strings.Join(values, "|")
}

// String returns the reply in one line for messages.
func (r *Reply) String() string {
	return strings.Join(append([]string{r.Line}, r.Fields...), "\n") + "\n\n" + r.Body
}

// Reply reads one reply to a request other than HEAD.
func (c *Client) Reply() *Reply {
	c.tb.Helper()
	return c.read(false)
}

// HeadReply reads one reply to HEAD.
func (c *Client) HeadReply() *Reply {
	c.tb.Helper()
	return c.read(true)
}

func (c *Client) read(head bool) *Reply {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	r := &Reply{}
	var ok bool
	if r.Line, ok = c.line(); !ok {
		return r
	}
	if _, code, found := strings.Cut(r.Line, " "); found {
		r.Status, _ = strconv.Atoi(code[:min(3, len(code))]) // a status line without one has status 0
	}
	if !c.fields(r) {
		r.Broken = true
		return r
	}
	if head || r.Status == 204 || r.Status == 304 || r.Status < 200 {
		return r
	}
	c.body(r)
	return r
}

// fields reads field lines up to an empty one.
func (c *Client) fields(r *Reply) bool {
	c.tb.Helper()
	for {
		line, ok := c.line()
		if !ok {
			return false
		}
		if line == "" {
			return true
		}
		r.Fields = append(r.Fields, line)
	}
}

func (c *Client) body(r *Reply) {
	c.tb.Helper()
	switch length := r.Field("Content-Length"); {
	case strings.EqualFold(r.Field("Transfer-Encoding"), "chunked"):
		body, err := io.ReadAll(httputil.NewChunkedReader(c.r))
		r.Body, r.Broken = string(body), c.failed(err) || !c.fields(r)
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			c.tb.Fatalf("Content-Length: %v", err)
		}
		body, err := io.ReadAll(io.LimitReader(c.r, n))
		r.Body, r.Broken = string(body), c.failed(err) || int64(len(body)) < n
	default:
		r.Body, r.Closed = c.Rest(), true
	}
}

// line reads a line without its end; false at the end of the connection.
func (c *Client) line() (string, bool) {
	c.tb.Helper()
	line, err := c.r.ReadString('\n')
	if c.failed(err) {
		return line, false
	}
	return strings.TrimRight(line, "\r\n"), true
}

// failed tells whether the connection has ended; a timeout ends the test.
func (c *Client) failed(err error) bool {
	c.tb.Helper()
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		c.tb.Fatal("no bytes came in time")
	}
	return err != nil
}

// Rest reads everything up to the end of the connection.
func (c *Client) Rest() string {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	p, err := io.ReadAll(c.r)
	c.failed(err)
	return string(p)
}

// Read reads what was not consumed by Reply yet.
func (c *Client) Read(p []byte) (int, error) { return c.r.Read(p) }

// Expect reads exactly these bytes.
func (c *Client) Expect(want string) {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	if err != nil || string(got) != want {
		c.tb.Fatalf("got %q (%v), want %q", got[:n], err, want)
	}
}

// Ended waits for the balancer to end the connection and tells whether it did
// so in order, without a reset. Bytes that come before fail the test.
func (c *Client) Ended() (orderly bool) {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(Patience))
	p, err := io.ReadAll(c.r)
	c.failed(err)
	if len(p) > 0 {
		c.tb.Fatalf("bytes before the end: %q", p)
	}
	return !errors.Is(err, syscall.ECONNRESET)
}
