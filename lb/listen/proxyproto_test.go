package listen

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

const sigV2 = "\r\n\r\n\x00\r\nQUIT\n"

var addrs4 = string([]byte{192, 0, 2, 1, 192, 0, 2, 2, 0x1f, 0x90, 0x01, 0xbb})

func proxyCases() []struct{ name, header, source, broken string } {
	return []struct{ name, header, source, broken string }{
		{"v1 tcp4", "PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n", "192.0.2.1:8080", ""},
		{"v1 tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 8080 443\r\n", "[2001:db8::1]:8080", ""},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "", ""},
		{"v1 unknown with addresses", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", ""},
		{"v2 tcp4", sigV2 + "\x21\x11\x00\x0c" + addrs4, "192.0.2.1:8080", ""},
		{"v2 tcp4 with fields", sigV2 + "\x21\x11\x00\x12" + addrs4 + "\x02\x00\x03a.b", "192.0.2.1:8080", ""},
		{"v2 local", sigV2 + "\x20\x00\x00\x00", "", ""},
		{"v2 local with addresses", sigV2 + "\x20\x11\x00\x0c" + addrs4, "", ""},
		{"v2 unspecified", sigV2 + "\x21\x00\x00\x00", "", ""},
		{"http", "GET / HTTP/1.1\r\n", "", "broken header"},
		{"v1 bad address", "PROXY TCP4 192.0.2.300 192.0.2.2 8080 443\r\n", "", "broken header"},
		{"v1 bad port", "PROXY TCP4 192.0.2.1 192.0.2.2 80800 443\r\n", "", "broken header"},
		{"v1 bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\n", "", "broken header"},
		{"v1 endless", "PROXY TCP4 " + strings.Repeat("1", 200), "", "broken header"},
		{"v2 version 3", sigV2 + "\x31\x11\x00\x0c" + addrs4, "", "broken header"},
		{"v2 too short for its family", sigV2 + "\x21\x11\x00\x04abcd", "", "broken header"},
		{"v2 too large", sigV2 + "\x21\x11\xff\xff" + addrs4, "", "header is too large"},
	}
}

func TestReadProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range proxyCases() {
		for _, split := range []bool{false, true} {
			server, client := loopbackPair(t)
			go func() {
				if !split {
					io.WriteString(client, tt.header+"after")
					return
				}
				for _, b := range []byte(tt.header + "after") {
					client.Write([]byte{b})
				}
			}()
			p, err := ReadProxy(server, 30*time.Second)
			if tt.broken != "" {
				if err == nil || !strings.Contains(err.Error(), tt.broken) || !errors.Is(err, ErrBrokenHeader) {
					t.Errorf("%s: got %v, want %q", tt.name, err, tt.broken)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if tt.source == "" && p.Source.IsValid() || tt.source != "" && p.Source.String() != tt.source {
				t.Errorf("%s: source %v, want %q", tt.name, p.Source, tt.source)
			}
			rest := make([]byte, 5)
			if _, err := io.ReadFull(server, rest); err != nil || string(rest) != "after" {
				t.Errorf("%s: the next reader gets %q, %v", tt.name, rest, err)
			}
		}
	}
}

func TestReadProxyEnds(t *testing.T) {
	t.Parallel()
	server, client := loopbackPair(t)
	io.WriteString(client, "PROXY TC")
	if _, err := ReadProxy(server, 30*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a slow header gave %v", err)
	}
	server, client = loopbackPair(t)
	io.WriteString(client, "PROXY TC")
	client.Close()
	if _, err := ReadProxy(server, 30*time.Second); !errors.Is(err, ErrBrokenHeader) {
		t.Errorf("a half header gave %v", err)
	}
}

func TestAppendProxy(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddrPort("192.0.2.1:8080"), netip.MustParseAddrPort("192.0.2.2:443"), netip.MustParseAddrPort("[2001:db8::1]:1")
	tests := []struct {
		version             int
		source, destination netip.AddrPort
		want                string
	}{
		{1, a, b, "PROXY TCP4 192.0.2.1 192.0.2.2 8080 443\r\n"},
		{1, c, c, "PROXY TCP6 2001:db8::1 2001:db8::1 1 1\r\n"},
		{1, netip.AddrPort{}, b, "PROXY UNKNOWN\r\n"},
		{2, a, b, sigV2 + "\x21\x11\x00\x0c" + addrs4},
		{2, netip.AddrPort{}, b, sigV2 + "\x20\x00\x00\x00"},
	}
	for _, tt := range tests {
		got, err := AppendProxy([]byte("x"), tt.version, tt.source, tt.destination)
		if err != nil || string(got) != "x"+tt.want {
			t.Errorf("v%d %v %v: got %q, %v", tt.version, tt.source, tt.destination, got, err)
		}
	}
}

// FuzzProxy checks that the scanner takes exactly the header, whatever the pieces, and that what is accepted can be written again.
func FuzzProxy(f *testing.F) {
	for _, tt := range proxyCases() {
		f.Add([]byte(tt.header+"after"), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		whole, wholeErr := scanAll(data, len(data))
		parts, partsErr := scanAll(data, 1+piece&15)
		if (wholeErr == nil) != (partsErr == nil) || wholeErr == nil && !bytes.Equal(whole, parts) {
			t.Fatalf("in one piece %q, %v, in pieces %q, %v", whole, wholeErr, parts, partsErr)
		}
		if wholeErr != nil {
			return
		}
		p, err := ParseProxy(whole)
		if err != nil || !p.Source.IsValid() || p.Source.Addr().Zone() != "" {
			return
		}
		again, err := AppendProxy(nil, p.Version, p.Source, p.Destination)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := ParseProxy(again); err != nil || q.Source != p.Source || q.Destination != p.Destination {
			t.Fatalf("%+v was written as %q and read as %+v, %v", p, again, q, err)
		}
	})
}

// scanAll feeds data to a scanner as a socket would give it.
func scanAll(data []byte, piece int) ([]byte, error) {
	var s proxyScanner
	for len(data) > 0 {
		n := min(s.missing(), piece, len(data))
		take, complete, err := s.accept(data[:n])
		if err != nil || complete {
			return s.header, err
		}
		data = data[take:]
	}
	return nil, io.ErrUnexpectedEOF
}

func loopbackPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server, client
}
