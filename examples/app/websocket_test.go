package app_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialWebSocket makes the handshake by hand and returns the open connection, with early bytes sent in one write with it.
func dialWebSocket(t *testing.T, base, path string, early []byte) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	if _, err := conn.Write(append([]byte(head), early...)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The key and the answer to it are the example of RFC 6455 section 1.3.
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("X-Server") != "one" {
		t.Fatalf("handshake: %s %v", resp.Status, resp.Header)
	}
	return conn, r
}

// clientFrame builds a masked frame; first holds the final bit and the kind.
func clientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

// serverFrame reads one unmasked frame.
func serverFrame(t *testing.T, r *bufio.Reader) (first byte, payload string) {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatalf("reading a frame: %v", err)
	}
	size := uint64(head[1])
	if extra := map[uint64]int{126: 2, 127: 8}[size]; extra > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(r, long[8-extra:]); err != nil {
			t.Fatal(err)
		}
		size = binary.BigEndian.Uint64(long)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return head[0], string(body)
}

func TestWebSocket(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	long, longer := strings.Repeat("m", 300), strings.Repeat("l", 70_000)
	cases := []struct {
		name  string
		send  []byte
		first byte // of the frame expected in return
		want  string
	}{
		{"text", clientFrame(0x81, "hello"), 0x81, "hello"},
		{"binary", clientFrame(0x82, "\x00\xff"), 0x82, "\x00\xff"},
		{"empty", clientFrame(0x81, ""), 0x81, ""},
		{"16-bit length", clientFrame(0x81, long), 0x81, long},
		{"64-bit length", clientFrame(0x82, longer), 0x82, longer},
		{"fragments", join(clientFrame(0x01, "a"), clientFrame(0x00, "b"), clientFrame(0x80, "c")), 0x81, "abc"},
		{"ping", clientFrame(0x89, "beat"), 0x8a, "beat"},
		{"pong is ignored", join(clientFrame(0x8a, ""), clientFrame(0x81, "x")), 0x81, "x"},
		{"close", clientFrame(0x88, "\x03\xe8"), 0x88, "\x03\xe8"},
		{"not masked", []byte{0x81, 0x01, 'a'}, 0x88, "\x03\xea"},
		{"reserved bit", clientFrame(0xc1, "a"), 0x88, "\x03\xea"},
		{"unknown kind", clientFrame(0x83, "a"), 0x88, "\x03\xea"},
		{"continuation of nothing", clientFrame(0x80, "a"), 0x88, "\x03\xea"},
		{"text inside a message", join(clientFrame(0x01, "a"), clientFrame(0x81, "b")), 0x88, "\x03\xea"},
		{"long ping", clientFrame(0x89, long), 0x88, "\x03\xea"},
		{"not UTF-8", clientFrame(0x81, "\xff"), 0x88, "\x03\xef"},
		{"too big", []byte{0x82, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4}, 0x88, "\x03\xf1"},
	}
	forBoth(t, func(t *testing.T, base string) {
		for _, c := range cases {
			conn, r := dialWebSocket(t, base, "/wstunnel/", nil)
			if _, err := conn.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if first, got := serverFrame(t, r); first != c.first || got != c.want {
				t.Errorf("%s: frame %#x %.20q, want %#x %.20q", c.name, first, got, c.first, c.want)
			}
			if c.first != 0x88 {
				continue
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("%s: after the close frame: %v, want the end", c.name, err)
			}
		}
	})
}

func TestWebSocketGreeting(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		_, r := dialWebSocket(t, base, "/wstunnel/?greet=1", nil)
		if _, got := serverFrame(t, r); got != "connected to one" {
			t.Errorf("greeting %q", got)
		}
	})
}

func TestWebSocketBytesWithTheHandshake(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		_, r := dialWebSocket(t, base, "/wstunnel/", clientFrame(0x81, "early"))
		if _, got := serverFrame(t, r); got != "early" {
			t.Errorf("got %q", got)
		}
	})
}

func TestWebSocketRefusals(t *testing.T) {
	cases := []struct {
		path, version, key string
		code               int
	}{
		{"/wstunnel/", "8", "dGhlIHNhbXBsZSBub25jZQ==", 426},
		{"/wstunnel/", "13", "", 400},
		{"/elsewhere/", "13", "dGhlIHNhbXBsZSBub25jZQ==", 404},
	}
	forBoth(t, func(t *testing.T, base string) {
		for _, c := range cases {
			req := newRequest(t, "GET", base+c.path, "")
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "websocket")
			req.Header.Set("Sec-WebSocket-Version", c.version)
			if c.key != "" {
				req.Header.Set("Sec-WebSocket-Key", c.key)
			}
			if resp, _ := do(t, req); resp.StatusCode != c.code || resp.Header.Get("X-Server") != "one" {
				t.Errorf("%+v: %s %v", c, resp.Status, resp.Header)
			}
		}
	})
}
