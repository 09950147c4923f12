package http2

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// memory is a Transport that keeps what is sent.
type memory struct {
	mu   sync.Mutex
	out  bytes.Buffer
	full bool // takes nothing without waiting
	free chan struct{}
	down bool
	err  error
}

func newMemory() *memory { return &memory{free: make(chan struct{})} }

func (m *memory) Offer(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full || m.err != nil {
		return 0, m.err
	}
	return m.out.Write(p)
}

func (m *memory) Pending() bool { return false }

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	full := m.full
	m.mu.Unlock()
	if full {
		<-m.free
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	return m.out.Write(p)
}

func (m *memory) Shutdown() {
	m.mu.Lock()
	m.down = true
	m.mu.Unlock()
}

func (m *memory) isDown() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down
}

// far is the peer of a client under test. It speaks and hears frames as words:
// "headers 1 end :status=200 a=b", "data 1 hello", "rst 1 CANCEL".
type far struct {
	t       *testing.T
	c       *Client
	m       *memory
	enc     *hpack.Encoder
	encoded bytes.Buffer
	dec     *hpack.Decoder
	fields  []string
}

// newFar connects a client to a peer whose SETTINGS have arrived.
func newFar(t *testing.T, settings string) *far {
	t.Helper()
	f := &far{t: t, m: newMemory()}
	f.enc = hpack.NewEncoder(&f.encoded)
	f.dec = hpack.NewDecoder(4096, func(h hpack.HeaderField) { f.fields = append(f.fields, h.Name+"="+h.Value) })
	f.c = NewClient(f.m)
	if settings != "-" {
		f.says(strings.TrimSpace("settings " + settings))
		f.answered()
	}
	return f
}

// answered waits until what the reader had to answer was written, and forgets
// it.
func (f *far) answered() string {
	f.t.Helper()
	for i := 0; ; i++ {
		f.c.mu.Lock()
		idle := !f.c.writing && len(f.c.out) == 0
		f.c.mu.Unlock()
		if idle {
			return f.heard()
		}
		if i > 1e6 {
			f.t.Fatal("nothing is written")
		}
		yield()
	}
}

// says gives the client frames; the error is the client's.
func (f *far) says(frames ...string) error {
	f.t.Helper()
	var wire []byte
	for _, text := range frames {
		wire = append(wire, f.frame(text)...)
	}
	return f.c.Receive(wire)
}

func codeNamed(name string) ErrorCode {
	for c := NoError; c <= HTTP11Required; c++ {
		if c.String() == name {
			return c
		}
	}
	return 0xff
}

// frame makes a frame of words.
func (f *far) frame(text string) []byte {
	f.t.Helper()
	word := strings.Fields(text)
	number := func(i int) uint64 {
		if i >= len(word) {
			return 0
		}
		n, _ := strconv.ParseUint(word[i], 10, 32)
		return n
	}
	stream := uint32(number(1))
	switch word[0] {
	case "raw":
		b, err := hex.DecodeString(strings.Join(word[1:], ""))
		if err != nil {
			f.t.Fatal(err)
		}
		return b
	case "settings":
		return f.settings(word[1:])
	case "ack":
		return AppendSettingsAck(nil)
	case "ping":
		return AppendPing(nil, [8]byte{1, 2}, false)
	case "rst":
		return AppendRSTStream(nil, stream, codeNamed(word[2]))
	case "goaway":
		return AppendGoAway(nil, stream, codeNamed(word[2]))
	case "window":
		return AppendWindowUpdate(nil, stream, int32(number(2)))
	case "push":
		return AppendFrameHead(nil, FrameHead{Type: FramePushPromise, Stream: stream})
	case "data":
		return f.data(stream, text)
	case "headers", "part", "continuation":
		return f.headers(stream, word)
	}
	f.t.Fatalf("unknown frame %q", text)
	return nil
}

func (f *far) settings(word []string) []byte {
	ids := map[string]SettingID{"streams": SettingMaxConcurrentStreams, "window": SettingInitialWindowSize, "frame": SettingMaxFrameSize}
	var list []Setting
	for _, w := range word {
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseUint(value, 10, 32)
		list = append(list, Setting{ids[name], uint32(n)})
	}
	return AppendSettings(nil, list...)
}

// data is "data 1 [end] text", of which text may be "×N" bytes.
func (f *far) data(stream uint32, text string) []byte {
	rest := strings.SplitN(text, " ", 3)
	h := FrameHead{Type: FrameData, Stream: stream}
	body := ""
	if len(rest) > 2 {
		body = rest[2]
	}
	if after, ok := strings.CutPrefix(body, "end"); ok {
		h.Flags, body = FlagEndStream, strings.TrimPrefix(after, " ")
	}
	if count, ok := strings.CutPrefix(body, "×"); ok {
		n, _ := strconv.Atoi(count)
		body = strings.Repeat("x", n)
	}
	h.Length = len(body)
	return append(AppendFrameHead(nil, h), body...)
}

// headers is "headers 1 [end] name=value …"; "part" lets a continuation follow.
func (f *far) headers(stream uint32, word []string) []byte {
	h := FrameHead{Type: FrameHeaders, Stream: stream, Flags: FlagEndHeaders}
	switch word[0] {
	case "part":
		h.Flags = 0
	case "continuation":
		h.Type = FrameContinuation
	}
	f.encoded.Reset()
	for _, w := range word[2:] {
		if w == "end" {
			h.Flags |= FlagEndStream
			continue
		}
		name, value, _ := strings.Cut(w, "=")
		if i := strings.IndexByte(name[1:], ':'); i >= 0 { // for names with "=" there is ":name:value"
			name, value = name[:i+1], name[i+2:]
		}
		if err := f.enc.WriteField(hpack.HeaderField{Name: name, Value: strings.NewReplacer("␠", " ", "␍", "\r\n").Replace(value)}); err != nil {
			f.t.Fatal(err)
		}
	}
	h.Length = f.encoded.Len()
	return append(AppendFrameHead(nil, h), f.encoded.Bytes()...)
}

// heard tells what the client has sent since the last call, one frame a line.
func (f *far) heard() string {
	f.t.Helper()
	f.m.mu.Lock()
	b := bytes.Clone(f.m.out.Bytes())
	f.m.out.Reset()
	f.m.mu.Unlock()
	var lines []string
	if rest, ok := bytes.CutPrefix(b, []byte(Preface)); ok {
		lines, b = append(lines, "preface"), rest
	}
	for len(b) > 0 {
		h := parseFrameHead(b)
		lines = append(lines, f.words(&h, b[FrameHeadSize:FrameHeadSize+h.Length]))
		b = b[FrameHeadSize+h.Length:]
	}
	return strings.Join(lines, "\n")
}

// words tells a frame.
func (f *far) words(h *FrameHead, p []byte) string {
	end := ""
	if h.Has(FlagEndStream) {
		end = " end"
	}
	switch h.Type {
	case FrameData:
		body := string(p)
		if len(body) > 40 {
			body = fmt.Sprintf("×%d", len(body))
		}
		return strings.TrimSpace(fmt.Sprintf("data %d%s %s", h.Stream, end, body))
	case FrameHeaders, FrameContinuation:
		if h.Type == FrameContinuation {
			end = " continued"
		}
		f.fields = nil
		if _, err := f.dec.Write(p); err != nil {
			f.t.Fatal(err)
		}
		return fmt.Sprintf("headers %d%s %s", h.Stream, end, strings.Join(f.fields, " "))
	case FrameRSTStream:
		return fmt.Sprintf("rst %d %v", h.Stream, ErrorCode(p[3]))
	case FrameGoAway:
		return fmt.Sprintf("goaway %d %v", p[3], ErrorCode(p[7]))
	case FrameWindowUpdate:
		n, _ := windowUpdate(h, p)
		return fmt.Sprintf("window %d %d", h.Stream, n)
	case FrameSettings:
		if h.Has(FlagAck) {
			return "ack"
		}
		return "settings"
	case FramePing:
		return "pong"
	}
	return fmt.Sprintf("frame %d", h.Type)
}

// open begins a GET, or a POST with a body.
func (f *far) open(o *Opening) *ClientStream {
	f.t.Helper()
	if o.Head == nil {
		o.Head = []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		o.End = true
	}
	if !f.c.Reserve(wire.Now(), &ClientLimits{}) {
		f.t.Fatal("no room for an exchange")
	}
	s, _, err := f.c.Open(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// get begins an exchange whose request is of no interest.
func (f *far) get() *ClientStream {
	f.t.Helper()
	s := f.open(&Opening{})
	f.answered()
	return s
}

// reply tells all that has come for an exchange: head, body, trailers or why
// there is no more.
func reply(s *ClientStream) string {
	var b strings.Builder
	var h request.Head
	for {
		status, err := s.Head(&h, nil)
		if err != nil {
			return b.String() + err.Error()
		}
		if status == 0 {
			return b.String() + "no head"
		}
		fmt.Fprintf(&b, "%d%s", status, tell(&h))
		if status >= 200 {
			break
		}
		b.WriteString(" | ")
	}
	fmt.Fprintf(&b, " [%d] ", s.Length())
	for {
		p, done, err := s.Next()
		b.Write(p)
		switch {
		case err != nil:
			return b.String() + "! " + err.Error()
		case done:
			var trailers request.Head
			s.Trailers(&trailers, nil)
			return b.String() + "." + tell(&trailers)
		case len(p) == 0:
			return b.String() + "…"
		}
	}
}

func tell(h *request.Head) string {
	var list []string
	for i := range h.Fields {
		f := &h.Fields[i]
		list = append(list, fmt.Sprintf(" %s=%s", h.Name(f), h.Value(f)))
	}
	slices.Sort(list)
	return strings.Join(list, "")
}
