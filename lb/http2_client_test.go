package lb_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/lbtest"
)

// browser is a client of the standard library that speaks nothing but HTTP/2,
// over one connection to one address of a balancer.
func browser(t *testing.T, b *lbtest.Balancer, written string) *http.Client {
	t.Helper()
	p := &http.Protocols{}
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	addr := b.Addr(written)
	tr := &http.Transport{
		Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: lbtest.Patience}
}

// framer is a client that speaks HTTP/2 frame by frame.
type framer struct {
	*lbtest.Client
	t       *testing.T
	r       http2.FrameReader
	rest    []byte
	encoder http2.Encoder
	decoder *http2.Decoder
	fields  []string         // of the block being decoded
	window  bool             // windows are opened as DATA comes
	held    *strings.Builder // what is to be sent together; nil: all is sent at once
}

// frame is one frame of the server's.
type frame struct {
	http2.FrameHead
	payload string
	fields  []string
}

// speak begins HTTP/2 on a connection.
func speak(t *testing.T, c *lbtest.Client, settings ...http2.Setting) *framer {
	t.Helper()
	f := &framer{Client: c, t: t, window: true}
	f.decoder = http2.NewDecoder(4096, func(name, value string) { f.fields = append(f.fields, name+": "+value) })
	f.Send(http2.Preface + string(http2.AppendSettings(nil, settings...)))
	return f
}

// Send writes bytes as they are, unless they are held.
func (f *framer) Send(text string) {
	f.t.Helper()
	if f.held != nil {
		f.held.WriteString(text)
		return
	}
	f.Client.Send(text)
}

// together sends in one write what act sends, so that no time runs between.
func (f *framer) together(act func()) {
	f.t.Helper()
	f.held = &strings.Builder{}
	act()
	text := f.held.String()
	f.held = nil
	f.Send(text)
}

// head sends a HEADERS frame with the fields of a GET, or of the method and
// path given, and others, "name: value" each.
func (f *framer) head(stream uint32, end bool, line string, fields ...string) {
	f.t.Helper()
	method, path, _ := strings.Cut(line, " ")
	block := f.encoder.Begin(nil)
	for _, s := range append([]string{":method: " + method, ":scheme: http", ":path: " + path, ":authority: a"}, fields...) {
		at := 1 + strings.Index(s[1:], ": ")
		block = f.encoder.Append(block, []byte(s[:at]), []byte(s[at+2:]))
	}
	h := http2.FrameHead{Length: len(block), Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: stream}
	if end {
		h.Flags |= http2.FlagEndStream
	}
	f.Send(string(append(http2.AppendFrameHead(nil, h), block...)))
}

// data sends a DATA frame.
func (f *framer) data(stream uint32, end bool, text string) {
	f.t.Helper()
	h := http2.FrameHead{Length: len(text), Type: http2.FrameData, Stream: stream}
	if end {
		h.Flags |= http2.FlagEndStream
	}
	f.Send(string(http2.AppendFrameHead(nil, h)) + text)
}

// next returns the server's next frame; ok is false at the connection's end.
func (f *framer) next() (got frame, ok bool) {
	f.t.Helper()
	for {
		h, payload, rest, whole, err := f.r.Next(f.rest)
		if err != nil {
			f.t.Fatal(err)
		}
		if f.rest = rest; whole {
			return f.opened(h, string(payload)), true
		}
		buf := make([]byte, 64<<10)
		if err := f.SetReadDeadline(time.Now().Add(lbtest.Patience)); err != nil {
			return got, false
		}
		n, err := f.Read(buf)
		if e, slow := err.(net.Error); slow && e.Timeout() {
			f.t.Fatal("waited in vain for a frame")
		}
		if n == 0 {
			return got, false
		}
		f.rest = buf[:n]
	}
}

// opened takes a frame apart, and answers those that ask for it.
func (f *framer) opened(h http2.FrameHead, payload string) frame {
	got := frame{FrameHead: h, payload: payload}
	switch h.Type {
	case http2.FrameHeaders:
		f.fields = nil
		f.decoder.Begin(true)
		if err := f.decoder.Write([]byte(payload), 1<<20); err != nil {
			f.t.Fatal(err)
		}
		if err := f.decoder.End(); err != nil {
			f.t.Fatal(err)
		}
		got.fields = f.fields
	case http2.FrameData:
		if f.window && h.Length > 0 {
			more := http2.AppendWindowUpdate(nil, 0, int32(h.Length))
			if !h.Has(http2.FlagEndStream) {
				more = http2.AppendWindowUpdate(more, h.Stream, int32(h.Length))
			}
			f.Send(string(more))
		}
	}
	return got
}

// until returns the frames up to the first of a type on a stream.
func (f *framer) until(kind http2.FrameType, stream uint32) []frame {
	f.t.Helper()
	var all []frame
	for {
		got, ok := f.next()
		if !ok {
			f.t.Fatalf("the connection ended before a frame of type %d on stream %d: %+v", kind, stream, all)
		}
		if all = append(all, got); got.Type == kind && got.Stream == stream {
			return all
		}
	}
}

// reply returns status and body of a stream, as in "200 body"; "reset CODE"
// where it is reset.
func (f *framer) reply(stream uint32) string {
	f.t.Helper()
	status, body := "", ""
	for {
		got, ok := f.next()
		switch {
		case !ok:
			return strings.TrimSpace(status + " " + body + " (cut off)")
		case got.Stream != stream:
			continue
		case got.Type == http2.FrameRSTStream:
			return fmt.Sprintf("reset %s", http2.ErrorCode(got.payload[3]))
		case got.Type == http2.FrameHeaders && status == "":
			status = strings.TrimPrefix(got.fields[0], ":status: ")
		case got.Type == http2.FrameHeaders:
			body += " + " + strings.Join(got.fields, ", ")
		case got.Type == http2.FrameData:
			body += got.payload
		default:
			continue
		}
		if got.Has(http2.FlagEndStream) {
			return strings.TrimSpace(status + " " + body)
		}
	}
}
