package http2

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/weir-lb/weir/lb/request"
)

// rig is a connection without a socket, whose client speaks in words:
//
//	S 4=100      SETTINGS, by the numbers of RFC 9113
//	H1 get a=b   HEADERS on stream 1; "get" and "post" stand for their fields
//	H1+ get      the same without END_HEADERS, C1 and C1+ are CONTINUATION
//	D1 text      DATA
//	e            behind a stream's number: END_STREAM
//	R1 8         RST_STREAM
//	W1 100       WINDOW_UPDATE
//	P text       PING
//	X 0a0b       bytes
//
// and whose server's frames are told in the same way, those of the opening
// left out.
type rig struct {
	t     testing.TB
	c     *ServerConn
	serve func(s *ServerStream)
	ready []*ServerStream // as a host's pool
	gate  sync.Mutex      // held while bytes arrive: what comes together is here before any of it is served

	mu      sync.Mutex
	out     bytes.Buffer // what the server has sent
	room    int          // bytes that the client takes; -1: any
	more    *sync.Cond   // room has grown
	refused []string
	woken   int

	block bytes.Buffer
	enc   *hpack.Encoder
	dec   *hpack.Decoder
}

func limits() Limits {
	return Limits{MaxStreams: 4, Window: 65535, HeadSize: 4096, FieldSize: 1024, MaxFields: 30, IgnoreInvalid: true}
}

// newRig must be called in a bubble of synctest.
func newRig(t testing.TB, serve func(s *ServerStream)) *rig {
	r := &rig{t: t, serve: serve, room: -1}
	r.more = sync.NewCond(&r.mu)
	r.enc = hpack.NewEncoder(&r.block)
	r.dec = hpack.NewDecoder(4096, nil)
	workers := &Workers{}
	r.c = NewServerConn(r, r, workers, limits(), 1)
	t.Cleanup(func() {
		r.take(-1)
		r.c.Fail(io.EOF)
		r.c.Wait()
		workers.Close()
	})
	return r
}

func (r *rig) Open() *ServerStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.ready); n > 0 {
		s := r.ready[n-1]
		r.ready = r.ready[:n-1]
		s.Request.Reset(&request.Conn{}, 0)
		return s
	}
	s := &ServerStream{Request: &request.Request{}}
	s.Request.Reset(&request.Conn{}, 0)
	return s
}

func (r *rig) Serve(s *ServerStream) {
	r.gate.Lock() // passed one by one; then streams serve beside each other
	serve := r.serve
	r.gate.Unlock()
	serve(s)
}

func (r *rig) Release(s *ServerStream) {
	s.Trim()
	r.mu.Lock()
	r.ready = append(r.ready, s)
	r.mu.Unlock()
}

func (r *rig) Refused(reason string) { r.refused = append(r.refused, reason) }
func (r *rig) Wake()                 { r.woken++ }

// Offer implements Wire.
func (r *rig) Offer(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room >= 0 {
		p = p[:min(len(p), r.room)]
		r.room -= len(p)
	}
	return r.out.Write(p)
}

func (r *rig) Pending() bool { return false }

// Write implements Wire.
func (r *rig) Write(p []byte) error {
	for len(p) > 0 {
		n, _ := r.Offer(p)
		if p = p[n:]; len(p) > 0 {
			r.mu.Lock()
			for r.room == 0 {
				r.more.Wait()
			}
			r.mu.Unlock()
		}
	}
	return nil
}

// take lets the client take so many bytes; -1: any.
func (r *rig) take(room int) {
	r.mu.Lock()
	r.room = room
	r.more.Broadcast()
	r.mu.Unlock()
}

// send speaks for the client, words parted by ";".
func (r *rig) send(words string) error {
	r.t.Helper()
	var wire []byte
	for word := range strings.SplitSeq(words, ";") {
		wire = r.append(wire, strings.TrimSpace(word))
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	err := r.c.Receive(wire)
	r.c.Flush()
	if err != nil {
		r.c.Fail(err)
	}
	return err
}

// start sends the preface.
func (r *rig) start() {
	r.t.Helper()
	if err := r.send("X " + hex.EncodeToString([]byte(Preface)) + "; S"); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	r.told()
}

func (r *rig) append(dst []byte, word string) []byte {
	r.t.Helper()
	verb, rest, _ := strings.Cut(word, " ")
	kind := verb[0]
	flags := uint8(0)
	digits := strings.Trim(verb[1:], "e+")
	id, _ := strconv.Atoi(digits)
	if strings.Contains(verb, "e") {
		flags |= FlagEndStream
	}
	h := FrameHead{Stream: uint32(id), Flags: flags}
	var payload []byte
	switch kind {
	case 'S':
		var list []Setting
		for _, f := range strings.Fields(rest) {
			k, v, _ := strings.Cut(f, "=")
			key, _ := strconv.Atoi(k)
			value, _ := strconv.ParseUint(v, 10, 32)
			list = append(list, Setting{SettingID(key), uint32(value)})
		}
		return AppendSettings(dst, list...)
	case 'H', 'C':
		h.Type = map[byte]FrameType{'H': FrameHeaders, 'C': FrameContinuation}[kind]
		if !strings.Contains(verb, "+") {
			h.Flags |= FlagEndHeaders
		}
		payload = r.encode(rest)
	case 'D':
		h.Type, payload = FrameData, []byte(rest)
	case 'R':
		code, _ := strconv.Atoi(rest)
		return AppendRSTStream(dst, h.Stream, ErrorCode(code))
	case 'W':
		n, _ := strconv.Atoi(rest)
		return AppendWindowUpdate(dst, h.Stream, int32(n))
	case 'P':
		var data [8]byte
		copy(data[:], rest)
		return AppendPing(dst, data, false)
	case 'X':
		raw, err := hex.DecodeString(rest)
		if err != nil {
			r.t.Fatal(err)
		}
		return append(dst, raw...)
	default:
		r.t.Fatalf("unknown word %q", word)
	}
	h.Length = len(payload)
	return append(AppendFrameHead(dst, h), payload...)
}

// encode makes a header block of "name=value" words.
func (r *rig) encode(fields string) []byte {
	r.block.Reset()
	for _, f := range strings.Fields(fields) {
		switch f {
		case "get", "post":
			for _, p := range []string{":method=" + strings.ToUpper(f), ":scheme=https", ":path=/", ":authority=a"} {
				name, value, _ := strings.Cut(p, "=")
				_ = r.enc.WriteField(hpack.HeaderField{Name: name, Value: value})
			}
			continue
		}
		name, value, _ := strings.Cut(f, "=")
		value, err := strconv.Unquote(`"` + value + `"`)
		if err != nil {
			r.t.Fatal(err)
		}
		name, err = strconv.Unquote(`"` + name + `"`)
		if err != nil {
			r.t.Fatal(err)
		}
		_ = r.enc.WriteField(hpack.HeaderField{Name: name, Value: strings.ReplaceAll(value, "␣", " ")})
	}
	return bytes.Clone(r.block.Bytes())
}

// told tells what the server has sent since the last call, as another
// implementation reads it.
func (r *rig) told() string {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	framer := xhttp2.NewFramer(io.Discard, bytes.NewReader(r.out.Bytes()))
	framer.ReadMetaHeaders = r.dec
	var list []string
	for {
		f, err := framer.ReadFrame()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			r.t.Fatalf("the server's frames cannot be read: %v", err)
		}
		list = append(list, describe(f))
	}
	r.out.Reset()
	return strings.Join(list, "; ")
}

func describe(f xhttp2.Frame) string {
	h := f.Header()
	end := ""
	if h.Flags.Has(xhttp2.FlagDataEndStream) {
		end = "e"
	}
	switch f := f.(type) {
	case *xhttp2.MetaHeadersFrame:
		s := fmt.Sprintf("H%d%s", h.StreamID, end)
		for _, field := range f.Fields {
			s += " " + field.Name + "=" + field.Value
		}
		return s
	case *xhttp2.DataFrame:
		if len(f.Data()) > 40 {
			return fmt.Sprintf("D%d%s (%d)", h.StreamID, end, len(f.Data()))
		}
		return strings.TrimSpace(fmt.Sprintf("D%d%s %s", h.StreamID, end, f.Data()))
	case *xhttp2.RSTStreamFrame:
		return fmt.Sprintf("R%d %s", h.StreamID, ErrorCode(f.ErrCode))
	case *xhttp2.GoAwayFrame:
		return fmt.Sprintf("G %d %s", f.LastStreamID, ErrorCode(f.ErrCode))
	case *xhttp2.WindowUpdateFrame:
		return fmt.Sprintf("W%d %d", h.StreamID, f.Increment)
	case *xhttp2.SettingsFrame:
		if f.IsAck() {
			return "S ack"
		}
		return "S"
	case *xhttp2.PingFrame:
		return strings.TrimRight(fmt.Sprintf("P %s", f.Data[:]), "\x00")
	}
	return h.Type.String()
}

// answer sends a whole reply.
func answer(s *ServerStream, text string) {
	p := &s.Request.Reply
	p.Status, p.Length = 200, int64(len(text))
	if s.WriteHead(&HeadOptions{End: text == ""}) == nil && text != "" {
		_ = s.Write([]byte(text), true)
		_ = s.Finish()
	}
}

// echo replies with what it got: the head in the form of HTTP/1, and the body.
func echo(s *ServerStream) {
	if s.TooLarge {
		answer(s, "too large")
		return
	}
	text := strings.ReplaceAll(string(s.Request.Head.Buf), "\r\n", "|")
	for {
		p, err := s.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			text += " error: " + err.Error()
			break
		}
		text += " body: " + string(p)
	}
	t := &s.Request.Body.Trailers
	for i := range t.Fields {
		text += " trailer: " + string(t.Name(&t.Fields[i]))
	}
	s.Request.Reply.Added = append(s.Request.Reply.Added[:0], request.AddedField{Name: "X-Got", Value: []byte(text)})
	answer(s, "")
}
