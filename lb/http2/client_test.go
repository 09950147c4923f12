package http2

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

func yield() { runtime.Gosched() }

// TestClientRequests: what requests look like to the peer.
func TestClientRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		o    Opening
		want string
	}{
		{"get", Opening{Head: []byte("GET /a?b=c HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\n\r\n"), End: true},
			"headers 1 end :method=GET :scheme=http :path=/a?b=c :authority=h:1 accept=*/*"},
		{"secure", Opening{Head: []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Secure: true, End: true},
			"headers 1 end :method=GET :scheme=https :path=/ :authority=h"},
		{"host comes first wherever it stands", Opening{Head: []byte("HEAD / HTTP/1.1\r\nX: y\r\nHoSt:  h \r\nA: b\r\n\r\n"), End: true},
			"headers 1 end :method=HEAD :scheme=http :path=/ :authority=h x=y a=b"},
		{"no host", Opening{Head: []byte("OPTIONS * HTTP/1.1\r\n\r\n"), End: true},
			"headers 1 end :method=OPTIONS :scheme=http :path=*"},
		{"what only HTTP/1 knows", Opening{Head: []byte("GET / HTTP/1.1\r\nHost: h\r\nConnection: x\r\nKeep-Alive: 1\r\nProxy-Connection: a\r\n" +
			"Transfer-Encoding: chunked\r\nUpgrade: websocket\r\nHTTP2-Settings: AA\r\nTE: gzip\r\n\r\n"), End: true},
			"headers 1 end :method=GET :scheme=http :path=/ :authority=h"},
		{"trailers", Opening{Head: []byte("GET / HTTP/1.1\r\nTE: gzip, Trailers\r\n\r\n"), End: true},
			"headers 1 end :method=GET :scheme=http :path=/ te=trailers"},
		{"body", Opening{Head: []byte("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"), Body: []byte("body"), End: true},
			"headers 1 :method=POST :scheme=http :path=/ content-length=4\ndata 1 end body"},
		{"begin of a body", Opening{Head: []byte("PUT / HTTP/1.1\r\n\r\n"), Body: []byte("bo")},
			"headers 1 :method=PUT :scheme=http :path=/\ndata 1 bo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t, "")
			f.open(&c.o)
			if got := f.answered(); got != c.want {
				t.Errorf("sent\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestClientBegins(t *testing.T) {
	t.Parallel()
	f := newFar(t, "-")
	f.open(&Opening{})
	want := "preface\nsettings\nwindow 0 2147418112\nheaders 1 end :method=GET :scheme=http :path=/ :authority=h"
	if got := f.answered(); got != want {
		t.Errorf("sent\n%s", got)
	}
	if err := f.says("settings", "ping"); err != nil {
		t.Error(err)
	}
	if got := f.answered(); got != "ack\npong" {
		t.Errorf("answered %q", got)
	}
}

// TestClientHeadOfManyFrames: a head that no frame holds goes out in several.
func TestClientHeadOfManyFrames(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	long := strings.Repeat("v", 40000)
	f.open(&Opening{Head: []byte("GET / HTTP/1.1\r\nX: " + long + "\r\n\r\n"), End: true})
	got := f.answered()
	lines := strings.Split(got, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "headers 1 end ") || !strings.HasSuffix(lines[2], "x="+long) {
		t.Errorf("%d frames: %.60s … %.60s", len(lines), got, lines[len(lines)-1])
	}
}

// TestClientReplies: what frames of the peer make of the first exchange.
func TestClientReplies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, frames, want, told string }{
		{"head only", "headers 1 end :status=204", "204 [-1] .", ""},
		{"body", "headers 1 :status=200 a=b; data 1 he; data 1 end llo", "200 a=b [-1] hello.", ""},
		{"announced", "headers 1 :status=200 content-length=5; data 1 he", "200 content-length=5 [5] he…", ""},
		{"unknown length", "headers 1 :status=200; data 1 he", "200 [-1] he…", ""},
		{"empty end", "headers 1 :status=200; data 1 a; data 1 end", "200 [-1] a.", ""},
		{"trailers", "headers 1 :status=200; data 1 a; headers 1 end grpc-status=0 x=", "200 [-1] a. grpc-status=0 x=", ""},
		{"trailers only", "headers 1 end :status=200 grpc-status=5", "200 grpc-status=5 [0] .", ""},
		{"interim", "headers 1 :status=100; headers 1 end :status=200", "200 [0] .", ""},
		{"hints", "headers 1 :status=103 link=a; headers 1 :status=103 link=b; headers 1 end :status=200", "103 link=a link=b | 200 [0] .", ""},
		{"continuation", "part 1 end :status=200; continuation 1 a=b", "200 a=b [0] .", ""},
		{"unknown frame", "raw 000001 ff 00 00000001 00; headers 1 end :status=200", "200 [0] .", ""},
		{"priority", "raw 000005 02 00 00000001 0000000000; headers 1 end :status=200", "200 [0] .", ""},
		{"padding", "headers 1 :status=200; raw 000004 00 09 00000001 02 61 0000", "200 [-1] a.", ""},
		{"not modified with a length", "headers 1 end :status=304 content-length=9", "304 content-length=9 [9] .", ""},
		{"rest of the request not wanted", "headers 1 end :status=200; rst 1 NO_ERROR", "200 [0] .", ""},

		{"reset", "rst 1 INTERNAL_ERROR", "upstream rejected request with error 2 (INTERNAL_ERROR)", ""},
		{"reset in the body", "headers 1 :status=200; data 1 abc; rst 1 CANCEL", "200 [-1] abc! upstream rejected request with error 8 (CANCEL)", ""},
		{"no status", "headers 1 end a=b", "upstream sent no :status header before the others", "rst 1 PROTOCOL_ERROR"},
		{"nothing", "headers 1 end", "upstream sent no :status header", "rst 1 PROTOCOL_ERROR"},
		{"double status", "headers 1 end :status=200 :status=200", "upstream sent duplicate :status header", "rst 1 PROTOCOL_ERROR"},
		{"late status", "headers 1 end a=b :status=200", "upstream sent no :status header before the others", "rst 1 PROTOCOL_ERROR"},
		{"bad status", "headers 1 end :status=20", "upstream sent invalid :status header", "rst 1 PROTOCOL_ERROR"},
		{"bad status digits", "headers 1 end :status=2x0", "upstream sent invalid :status header", "rst 1 PROTOCOL_ERROR"},
		{"switching protocols", "headers 1 :status=101", "upstream sent invalid :status header", "rst 1 PROTOCOL_ERROR"},
		{"other pseudo-header", "headers 1 end :status=200 :path=/", "upstream sent unknown pseudo-header", "rst 1 PROTOCOL_ERROR"},
		{"upper case", "headers 1 end :status=200 A=b", "upstream sent invalid header name", "rst 1 PROTOCOL_ERROR"},
		{"space in a name", "headers 1 end :status=200 a\u2420b=c", "upstream sent invalid header name", "rst 1 PROTOCOL_ERROR"},
		{"line end in a value", "headers 1 end :status=200 a=b␍c", "upstream sent invalid header value", "rst 1 PROTOCOL_ERROR"},
		{"NUL in a value", "headers 1 end :status=200 a=b\x00", "upstream sent invalid header value", "rst 1 PROTOCOL_ERROR"},
		{"space around a value", "headers 1 end :status=200 a=␠b", "upstream sent invalid header value", "rst 1 PROTOCOL_ERROR"},
		{"connection", "headers 1 end :status=200 connection=close", "upstream sent a connection-specific header", "rst 1 PROTOCOL_ERROR"},
		{"transfer-encoding", "headers 1 end :status=200 transfer-encoding=chunked", "upstream sent a connection-specific header", "rst 1 PROTOCOL_ERROR"},
		{"bad length", "headers 1 end :status=200 content-length=+1", "upstream sent invalid \"Content-Length\" header", "rst 1 PROTOCOL_ERROR"},
		{"double length", "headers 1 end :status=200 content-length=0 content-length=0", "upstream sent invalid \"Content-Length\" header", "rst 1 PROTOCOL_ERROR"},
		{"interim that ends", "headers 1 end :status=103", "upstream ended the reply without a final status", "rst 1 PROTOCOL_ERROR"},
		{"data first", "data 1 a", "upstream sent invalid HTTP/2: DATA before the head of the reply (PROTOCOL_ERROR)", "rst 1 PROTOCOL_ERROR"},
		{"data behind the end", "headers 1 end :status=200; data 1 a", "200 [0] .", "rst 1 STREAM_CLOSED"},
		{"too much data", "headers 1 :status=200 content-length=1; data 1 ab", "200 content-length=1 [1] ! upstream sent invalid HTTP/2: more data than the reply may have (PROTOCOL_ERROR)", "rst 1 PROTOCOL_ERROR"},
		{"too little data", "headers 1 :status=200 content-length=3; data 1 end ab", "200 content-length=3 [3] ab! upstream sent invalid HTTP/2: less data than specified in \"Content-Length\" header (PROTOCOL_ERROR)", "rst 1 PROTOCOL_ERROR"},
		{"announced, nothing sent", "headers 1 end :status=200 content-length=3", "upstream sent less or more data than specified in \"Content-Length\" header", "rst 1 PROTOCOL_ERROR"},
		{"data without a body", "headers 1 :status=304; data 1 a", "304 [-1] ! upstream sent invalid HTTP/2: more data than the reply may have (PROTOCOL_ERROR)", "rst 1 PROTOCOL_ERROR"},
		{"trailers that do not end", "headers 1 :status=200; data 1 a; headers 1 b=c", "200 [-1] a! upstream sent trailers that do not end the reply", "rst 1 PROTOCOL_ERROR"},
		{"status in trailers", "headers 1 :status=200; headers 1 end :status=200", "200 [-1] ! upstream sent a pseudo-header in trailers", "rst 1 PROTOCOL_ERROR"},
		{"window of the stream", "headers 1 :status=200; window 1 2147483647", "200 [-1] ! upstream sent invalid HTTP/2: window too large (FLOW_CONTROL_ERROR)", "rst 1 FLOW_CONTROL_ERROR"},
		{"empty window update", "headers 1 :status=200; window 1 0", "200 [-1] ! upstream sent invalid HTTP/2: WINDOW_UPDATE frame with an increment of 0 (PROTOCOL_ERROR)", "rst 1 PROTOCOL_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t, "")
			s := f.get()
			if err := f.says(strings.Split(c.frames, "; ")...); err != nil {
				t.Fatalf("the connection ended: %v", err)
			}
			if got := reply(s); got != c.want {
				t.Errorf("reply\n%s\nwant\n%s", got, c.want)
			}
			if got := f.answered(); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
			// Whatever happened to it, the next exchange is not touched.
			f.open(&Opening{})
			if err := f.says("headers 3 end :status=204"); err != nil {
				t.Errorf("the connection ended: %v", err)
			}
		})
	}
}

// TestClientConnectionErrors: what ends the connection with all its exchanges.
func TestClientConnectionErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, frames, want string }{
		{"frame too large", "raw 004001 00 00 00000001", "frame larger than SETTINGS_MAX_FRAME_SIZE (FRAME_SIZE_ERROR)"},
		{"push", "push 1", "PUSH_PROMISE frame though push is off (PROTOCOL_ERROR)"},
		{"idle stream", "headers 5 end :status=200", "frame on a stream that was never opened (PROTOCOL_ERROR)"},
		{"even stream", "headers 2 end :status=200", "frame on a stream that was never opened (PROTOCOL_ERROR)"},
		{"data on the connection", "raw 000001 00 00 00000000 61", "frame on a stream that was never opened (PROTOCOL_ERROR)"},
		{"settings on a stream", "raw 000000 04 00 00000001", "frame of the connection on a stream (PROTOCOL_ERROR)"},
		{"half a setting", "raw 000001 04 00 00000000 00", "SETTINGS frame with an incomplete setting (FRAME_SIZE_ERROR)"},
		{"acknowledgement with a payload", "raw 000001 04 01 00000000 00", "SETTINGS acknowledgement with a payload (FRAME_SIZE_ERROR)"},
		{"initial window", "settings window=2147483648", "SETTINGS_INITIAL_WINDOW_SIZE too large (FLOW_CONTROL_ERROR)"},
		{"window", "window 0 2147483647; window 0 2147483647", "window too large (FLOW_CONTROL_ERROR)"},
		{"empty window update", "window 0 0", "WINDOW_UPDATE frame with an increment of 0 (PROTOCOL_ERROR)"},
		{"short ping", "raw 000001 06 00 00000000 00", "PING frame of invalid length (FRAME_SIZE_ERROR)"},
		{"short goaway", "raw 000001 07 00 00000000 00", "GOAWAY frame of invalid length (FRAME_SIZE_ERROR)"},
		{"short reset", "raw 000001 03 00 00000001 00", "RST_STREAM frame of invalid length (FRAME_SIZE_ERROR)"},
		{"header block", "raw 000001 01 04 00000001 ff", "invalid header block: "},
		{"header index", "raw 000001 01 04 00000001 c0", "invalid header block: "},
		{"lonely continuation", "continuation 1 a=b", "CONTINUATION frame without a header block (PROTOCOL_ERROR)"},
		{"interrupted block", "part 1 :status=200; data 1 a", "header block interrupted by another frame (PROTOCOL_ERROR)"},
		{"block of two streams", "part 1 :status=200; continuation 3 a=b", "header block interrupted by another frame (PROTOCOL_ERROR)"},
		{"padding", "headers 1 :status=200; raw 000002 00 08 00000001 05 61", "DATA frame with invalid padding (PROTOCOL_ERROR)"},
		{"continuations", "part 1 :status=200; " + strings.Repeat("raw 000000 09 00 00000001; ", 70) + "continuation 1 a=b", "header block too large (ENHANCE_YOUR_CALM)"},
		{"pings", strings.Repeat("ping; ", 1001) + "ping", "too many frames without use (ENHANCE_YOUR_CALM)"},
		{"empty data", "headers 1 :status=200; " + strings.Repeat("raw 000000 00 00 00000001; ", 1001) + "ping", "too many frames without use (ENHANCE_YOUR_CALM)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t, "")
			s := f.get()
			err := f.says(strings.Split(c.frames, "; ")...)
			broken, ok := errors.AsType[*ConnError](err)
			if !ok || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if got, want := f.heard(), "goaway 0 "+broken.Code.String(); !strings.HasSuffix(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
			f.c.End(err)
			if got := reply(s); !strings.HasSuffix(got, "upstream sent invalid HTTP/2: "+err.Error()) {
				t.Errorf("reply %q", got)
			}
			if f.c.Reserve(wire.Now(), &ClientLimits{}) {
				t.Error("another exchange may begin")
			}
		})
	}
}

func TestClientFirstFrame(t *testing.T) {
	t.Parallel()
	for _, frames := range []string{"ping", "ack", "headers 1 end :status=200"} {
		f := newFar(t, "-")
		f.open(&Opening{})
		if err := f.says(frames); err == nil || err.Error() != "first frame is not SETTINGS (PROTOCOL_ERROR)" {
			t.Errorf("%s: %v", frames, err)
		}
	}
}

func TestClientBigHead(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	s := f.get()
	frames := []string{"part 1 :status=200"}
	for range 5 {
		frames = append(frames, "part 1 a="+strings.Repeat("a", 15000))
	}
	var wire []byte
	for i, text := range frames {
		b := f.frame(text)
		if i > 0 {
			b[3] = byte(FrameContinuation)
		}
		if i == len(frames)-1 {
			b[4] = FlagEndHeaders
		}
		wire = append(wire, b...)
	}
	if err := f.c.Receive(wire); err != nil {
		t.Fatal(err)
	}
	if got := reply(s); got != "upstream sent too big header" {
		t.Errorf("reply %q", got)
	}
	// The peer's compression goes on where it was.
	next := f.get()
	if err := f.says("headers 3 end :status=200 a=b"); err != nil || reply(next) != "200 a=b [0] ." {
		t.Errorf("next: %v, %s", err, reply(next))
	}
}

// TestClientGoAway: which exchanges may be made anew.
func TestClientGoAway(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	a, b := f.get(), f.get()
	if err := f.says("goaway 1 NO_ERROR"); err != nil {
		t.Fatal(err)
	}
	_, err := b.Head(&request.Head{}, nil)
	if failure, ok := errors.AsType[*Failure](err); !ok || !failure.Unprocessed {
		t.Errorf("the second: %v", err)
	}
	if f.c.Reserve(wire.Now(), &ClientLimits{}) {
		t.Error("another exchange may begin")
	}
	if err := f.says("headers 1 end :status=200"); err != nil || reply(a) != "200 [0] ." {
		t.Errorf("the first: %v, %s", err, reply(a))
	}
	b.Close()
	if f.m.isDown() {
		t.Error("closed under an exchange")
	}
	f.answered()
	a.Close()
	if told := f.answered(); told != "goaway 0 NO_ERROR" || !f.m.isDown() {
		t.Errorf("closed with the last exchange: %v, told %q", f.m.isDown(), told)
	}
}

// TestClientEnd: a connection that breaks leaves open what the peer has done.
func TestClientEnd(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	s := f.get()
	f.c.End(io.EOF)
	_, err := s.Head(&request.Head{}, nil)
	failure, ok := errors.AsType[*Failure](err)
	if !ok || failure.Unprocessed || failure.Malformed || !errors.Is(err, io.EOF) {
		t.Errorf("%+v", err)
	}
	s.Close()
}

func TestClientRefused(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	s := f.get()
	if err := f.says("rst 1 REFUSED_STREAM"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Head(&request.Head{}, nil)
	if failure, ok := errors.AsType[*Failure](err); !ok || !failure.Unprocessed {
		t.Errorf("%+v", err)
	}
}

func TestClientCloseTellsThePeer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, frames, want string }{
		{"nothing came", "", "rst 1 CANCEL"},
		{"in the body", "headers 1 :status=200; data 1 abc", "rst 1 CANCEL"},
		{"all done", "headers 1 :status=200; data 1 end abc", ""},
		{"reset before", "rst 1 CANCEL", ""},
	} {
		f := newFar(t, "")
		s := f.get()
		if c.frames != "" {
			if err := f.says(strings.Split(c.frames, "; ")...); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		if got := f.answered(); got != c.want {
			t.Errorf("%s: told %q, want %q", c.name, got, c.want)
		}
		// What comes late for it does no harm.
		if err := f.says("data 1 end x", "window 1 5", "rst 1 CANCEL"); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestClientReserve: when another exchange may begin.
func TestClientReserve(t *testing.T) {
	t.Parallel()
	count := func(f *far, limits *ClientLimits) (n int) {
		for n < 1000 && f.c.Reserve(wire.Now(), limits) {
			n++
		}
		return n
	}
	for _, c := range []struct {
		settings string
		limits   ClientLimits
		want     int
	}{
		{"", ClientLimits{}, mostStreams},
		{"-", ClientLimits{}, firstStreams},
		{"streams=3", ClientLimits{}, 3},
		{"streams=1000", ClientLimits{}, mostStreams},
		{"", ClientLimits{Requests: 7}, 7},
		{"", ClientLimits{Time: 1}, 0},
	} {
		f := newFar(t, c.settings)
		if got := count(f, &c.limits); got != c.want {
			t.Errorf("%q %+v: %d exchanges, want %d", c.settings, c.limits, got, c.want)
		}
		used := c.limits != ClientLimits{}
		for range c.want {
			f.c.Unreserve()
		}
		if used != f.m.isDown() {
			t.Errorf("%q %+v: closed %v", c.settings, c.limits, f.m.isDown())
		}
	}
}

// TestClientSendsWithinWindows: bodies wait for the peer.
func TestClientSendsWithinWindows(t *testing.T) {
	t.Parallel()
	f := newFar(t, "window=10")
	s := f.open(&Opening{Head: []byte("POST / HTTP/1.1\r\n\r\n"), Body: []byte("0123456")})
	if got := f.answered(); !strings.HasSuffix(got, "\ndata 1 0123456") {
		t.Fatalf("sent %q", got)
	}
	done := make(chan error)
	go func() { done <- s.Write([]byte("789abcdef"), true) }()
	expect := func(want string) {
		t.Helper()
		var got string
		for i := 0; !strings.HasSuffix(got, want) && i < 1e7; i++ {
			if line := f.heard(); line != "" {
				got += "\n" + line
			}
			yield()
		}
		if !strings.HasSuffix(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	expect("data 1 789")
	if err := f.says("window 1 2"); err != nil {
		t.Error(err)
	}
	expect("data 1 ab")
	if err := f.says("settings window=13"); err != nil {
		t.Error(err)
	}
	expect("data 1 cde")
	if err := f.says("window 1 5"); err != nil {
		t.Error(err)
	}
	expect("data 1 end f")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestClientWindowOfConnection: one window bounds all bodies.
func TestClientWindowOfConnection(t *testing.T) {
	t.Parallel()
	f := newFar(t, "window=1000000")
	body := make([]byte, 100000)
	s, taken := f.posts(body)
	if got := f.answered(); taken != 65535 || strings.Count(got, "data") != 4 {
		t.Fatalf("took %d: %s", taken, got)
	}
	done := make(chan error)
	go func() { done <- s.Write(body[taken:], true) }()
	if err := f.says("window 0 100000"); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := f.answered(); !strings.Contains(got, "data 1 end ×") {
		t.Errorf("sent %q", got)
	}
}

func (f *far) posts(body []byte) (*ClientStream, int) {
	f.t.Helper()
	if !f.c.Reserve(wire.Now(), &ClientLimits{}) {
		f.t.Fatal("no room for an exchange")
	}
	s, taken, err := f.c.Open(&Opening{Head: []byte("POST / HTTP/1.1\r\n\r\n"), Body: body, End: true})
	if err != nil {
		f.t.Fatal(err)
	}
	return s, taken
}

// TestClientGivesWindowsBack: the peer may send on as the body is taken, and
// is held up while it is not.
func TestClientGivesWindowsBack(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	s := f.get()
	if err := f.says("headers 1 :status=200"); err != nil {
		t.Fatal(err)
	}
	for range clientWindow / 16384 {
		if err := f.says("data 1 ×16384"); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.answered(); got != "" {
		t.Errorf("told %q though nothing was taken", got)
	}
	for range 2 { // a piece is done with when the next is asked for
		if _, _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.answered(); got != "window 1 262144" {
		t.Errorf("told %q", got)
	}
	for range clientWindow / 16384 {
		if err := f.says("data 1 ×16384"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.says("data 1 x"); err != nil {
		t.Fatal(err)
	}
	if got := f.answered(); got != "rst 1 FLOW_CONTROL_ERROR" {
		t.Errorf("too much: told %q", got)
	}
}

// TestClientUnwanted: a peer that has answered may not want the rest.
func TestClientUnwanted(t *testing.T) {
	t.Parallel()
	f := newFar(t, "window=1")
	s, _ := f.posts([]byte("abc"))
	done := make(chan error)
	go func() { done <- s.Write([]byte("bc"), true) }()
	if err := f.says("headers 1 end :status=413", "rst 1 NO_ERROR"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrUnwanted) {
		t.Errorf("Write: %v", err)
	}
	if got := reply(s); got != "413 [0] ." {
		t.Errorf("reply %q", got)
	}
}

func TestClientTrailersOfRequest(t *testing.T) {
	t.Parallel()
	f := newFar(t, "")
	s := f.open(&Opening{Head: []byte("POST / HTTP/1.1\r\n\r\n"), Body: []byte("abc")})
	var h request.Head
	h.Reset(nil)
	h.Add([]byte("X-Sum"), []byte("1"))
	if err := s.WriteTrailers(&h); err != nil {
		t.Fatal(err)
	}
	if got := f.answered(); !strings.HasSuffix(got, "data 1 abc\nheaders 1 end x-sum=1") {
		t.Errorf("sent %q", got)
	}
}

// TestClientWaits: how a wait for the reply ends.
func TestClientWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, "")
		s := f.get()
		begin := time.Now()
		s.ReadWithin(wire.Now(), time.Minute)
		pauses := 0
		s.OnPause(wire.Now(), time.Second, func() { pauses++ })
		if err := s.Wait(); !errors.Is(err, wire.ErrTimeout) || time.Since(begin) != time.Minute || pauses != 1 {
			t.Errorf("%v after %v with %d pauses", err, time.Since(begin), pauses)
		}
		if f.c.Reserve(wire.Now(), &ClientLimits{}) {
			t.Error("a connection silent for so long is used again")
		}
		// Something that comes ends the wait once.
		s.ReadWithin(wire.Now(), time.Minute)
		time.AfterFunc(time.Second, func() { _ = f.says("headers 1 :status=200") })
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
		time.AfterFunc(2*time.Second, s.Interrupt)
		begin = time.Now()
		if err := s.Wait(); !errors.Is(err, wire.ErrInterrupted) || time.Since(begin) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// TestClientStuck: a peer that takes nothing holds up nobody but those who send
// to it.
func TestClientStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, "window=10000000")
		f.m.mu.Lock()
		f.m.full = true
		f.m.mu.Unlock()
		s := f.open(&Opening{Head: []byte("POST / HTTP/1.1\r\n\r\n"), Body: make([]byte, 60000)})
		if err := f.says("window 0 10000000"); err != nil {
			t.Fatal(err)
		}
		s.WriteWithin(time.Second)
		if err := s.Write(make([]byte, 1<<20), true); !errors.Is(err, wire.ErrTimeout) {
			t.Errorf("Write: %v", err)
		}
		if err := f.says("headers 1 end :status=200"); err != nil || reply(s) != "200 [0] ." {
			t.Errorf("reply %v %s", err, reply(s))
		}
		f.m.mu.Lock()
		f.m.full = false
		f.m.mu.Unlock()
		close(f.m.free)
		s.Close()
		synctest.Wait()
		if got := f.answered(); !strings.HasSuffix(got, "rst 1 CANCEL") {
			t.Errorf("sent %s", got)
		}
	})
}
