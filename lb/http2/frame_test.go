package http2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFrameReader(t *testing.T) {
	t.Parallel()
	var wire []byte
	wire = AppendSettings(wire, Setting{SettingInitialWindowSize, 1 << 20}, Setting{SettingMaxFrameSize, 20000})
	wire = AppendPing(wire, [8]byte{1, 2, 3}, true)
	wire = AppendWindowUpdate(wire, 5, 77)
	wire = append(AppendFrameHead(wire, FrameHead{Length: 300, Type: FrameData, Flags: FlagEndStream, Stream: 7}), bytes.Repeat([]byte("x"), 300)...)
	wire = AppendRSTStream(wire, 9, Cancel)
	wire = AppendGoAway(wire, 11, EnhanceYourCalm)
	want := "4:0:0:12 6:1:0:8 8:0:5:4 0:1:7:300 3:0:9:4 7:0:0:8 "
	for size := 1; size <= len(wire); size = size*3/2 + 1 {
		var r FrameReader
		got := ""
		for rest := wire; len(rest) > 0; {
			p := rest[:min(size, len(rest))]
			rest = rest[len(p):]
			for len(p) > 0 {
				h, payload, after, ok, err := r.Next(p)
				if err != nil {
					t.Fatal(err)
				}
				if p = after; !ok {
					break
				}
				got += fmt.Sprintf("%d:%d:%d:%d ", h.Type, h.Flags, h.Stream, len(payload))
			}
		}
		if got != want || r.Partial() {
			t.Errorf("in pieces of %d: %s, want %s", size, got, want)
		}
	}
	var r FrameReader
	if _, _, _, _, err := r.Next([]byte{0, 0x40, 1, 0, 0, 0, 0, 0, 1}); codeOf(err) != FrameSizeError {
		t.Errorf("a frame too large: %v", err)
	}
}

// codeOf returns the code of an error, NoError for none.
func codeOf(err error) ErrorCode {
	if e, ok := errors.AsType[*ConnError](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*StreamError](err); ok {
		return e.Code
	}
	return NoError
}

func TestPadding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    FrameType
		flags   uint8
		payload string
		want    string
		code    ErrorCode
	}{
		{FrameData, 0, "abc", "abc", NoError},
		{FrameData, FlagPadded, "\x02abc..", "abc", NoError},
		{FrameData, FlagPadded, "\x03...", "", NoError},
		{FrameData, FlagPadded, "\x03..", "", ProtocolError},
		{FrameData, FlagPadded, "", "", ProtocolError},
		{FrameHeaders, 0, "abc", "abc", NoError},
		{FrameHeaders, FlagPadded, "\x02abc..", "abc", NoError},
		{FrameHeaders, FlagPadded, "\x04abc", "", ProtocolError},
		{FrameHeaders, FlagPadded, "", "", FrameSizeError},
		{FrameHeaders, FlagPriority, "\x00\x00\x00\x03\x10abc", "abc", NoError},
		{FrameHeaders, FlagPriority, "\x00\x00\x00\x03", "", FrameSizeError},
		{FrameHeaders, FlagPriority | FlagPadded, "\x01\x00\x00\x00\x03\x10abc.", "abc", NoError},
	} {
		h := FrameHead{Length: len(c.payload), Type: c.kind, Flags: c.flags, Stream: 1}
		var got []byte
		var err error
		if c.kind == FrameData {
			got, err = dataOf(&h, []byte(c.payload))
		} else {
			got, _, err = blockOf(&h, []byte(c.payload))
		}
		if string(got) != c.want || codeOf(err) != c.code {
			t.Errorf("%d %#x %q: %q, %v", c.kind, c.flags, c.payload, got, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id    SettingID
		value uint32
		code  ErrorCode
	}{
		{SettingHeaderTableSize, 1 << 31, NoError},
		{SettingEnablePush, 0, NoError},
		{SettingEnablePush, 2, ProtocolError},
		{SettingInitialWindowSize, 1<<31 - 1, NoError},
		{SettingInitialWindowSize, 1 << 31, FlowControlError},
		{SettingMaxFrameSize, 16383, ProtocolError},
		{SettingMaxFrameSize, 1 << 24, ProtocolError},
		{SettingMaxFrameSize, 1<<24 - 1, NoError},
		{SettingEnableConnectProtocol, 2, ProtocolError},
		{SettingNoRFC7540Priorities, 2, ProtocolError},
		{0xff, 2, NoError},
	} {
		s := DefaultSettings()
		if err := s.Apply(AppendSettings(nil, Setting{c.id, c.value})[FrameHeadSize:]); codeOf(err) != c.code {
			t.Errorf("%#x = %d: %v", c.id, c.value, err)
		}
	}
	s := DefaultSettings()
	if err := s.Apply(make([]byte, 7)); codeOf(err) != FrameSizeError {
		t.Errorf("an incomplete setting: %v", err)
	}
	list := AppendSettings(nil, Setting{SettingInitialWindowSize, 1}, Setting{SettingMaxFrameSize, 16385},
		Setting{SettingMaxConcurrentStreams, 2}, Setting{SettingHeaderTableSize, 3}, Setting{SettingMaxHeaderListSize, 4},
		Setting{SettingEnableConnectProtocol, 1})
	if err := s.Apply(list[FrameHeadSize:]); err != nil || s != (Settings{3, 2, 1, 16385, 4, true}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	w := NewSendWindow(10)
	w.Take(10)
	if !w.Add(-5) || w.Size() != -5 {
		t.Errorf("a window may become negative: %d", w.Size())
	}
	if !w.Add(maxWindow) || w.Add(6) {
		t.Error("a window must not overflow")
	}
	r := NewRecvWindow(100)
	if !r.Receive(100) || r.Receive(1) {
		t.Error("the peer may send what it was told and no more")
	}
	if n := r.Consume(49); n != 0 {
		t.Errorf("%d given back too early", n)
	}
	if n := r.Consume(2); n != 51 || !r.Receive(51) || r.Receive(1) {
		t.Errorf("%d given back", n)
	}
	if n := r.Grow(150); n != 50 || !r.Receive(50) || r.Grow(150) != 0 {
		t.Errorf("grown by %d", n)
	}
}

func TestNamesAndValues(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]uint8{
		"accept": 0, "x-1": 0, "a_b": nameUnderscore, "a+b": nameOdd, "": nameBad, "Accept": nameBad, "a b": nameBad,
		"a:": nameBad, "a\x00": nameBad, "ä": nameBad, "a\r\nb": nameBad,
	} {
		if got := classOfName(name); got&nameBad != want&nameBad || want&nameBad == 0 && got != want {
			t.Errorf("%q: %b, want %b", name, got, want)
		}
	}
	for value, want := range map[string]bool{
		"": true, "a": true, "a b\tc": true, " a": false, "a ": false, "\ta": false, "a\r": false, "a\nb": false, "a\x00b": false,
		"\x7f": false, "ä\xff": true,
	} {
		if validValue(value) != want {
			t.Errorf("%q is not %v", value, want)
		}
	}
	if got := appendLower(nil, "X-A:b\r\n_É"); string(got) != "x-a-b--_--" {
		t.Errorf("%q", got)
	}
	var scratch []byte
	if got := cleanValue(&scratch, []byte("a\r\nb\x00")); string(got) != "a  b " {
		t.Errorf("%q", got)
	}
	for v, want := range map[string]int64{"0": 0, "12": 12, "": -1, "+1": -1, "1 ": -1, strings.Repeat("9", 19): -1} {
		if n, ok := parseLength(v); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d %v", v, n, ok)
		}
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]Priority{
		"": {3, false}, "u=1": {1, false}, "u=7, i": {7, true}, "i": {3, true}, "u=8": {3, false}, "i=?0, u=0": {0, false},
		"u=1,u=2": {2, false}, "x, y=3;a=\"b\", u=5 ": {5, false}, "i=1": {3, false}, ",,,": {3, false},
	} {
		if got := parsePriority(v); got != want {
			t.Errorf("%q: %+v", v, got)
		}
	}
}

func TestDecoderBounds(t *testing.T) {
	t.Parallel()
	var got []string
	d := NewDecoder(4096, func(name, value string) { got = append(got, name+"="+value) })
	var e Encoder
	block := e.Append(e.Begin(nil), []byte("server"), []byte("weir"))
	d.Begin(true)
	for i := range block {
		if err := d.Write(block[i:i+1], 1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.End(); err != nil || len(got) != 1 || got[0] != "server=weir" || d.Size() != len(block) {
		t.Errorf("%v %v", got, err)
	}
	d.Begin(true)
	if err := d.Write(make([]byte, 11), 10); codeOf(err) != EnhanceYourCalm {
		t.Errorf("too large: %v", err)
	}
	d.Begin(false)
	err := error(nil)
	for i := 0; i <= maxContinuations+1 && err == nil; i++ {
		err = d.Write(nil, 10)
	}
	if codeOf(err) != EnhanceYourCalm {
		t.Errorf("too many frames: %v", err)
	}
	d.Begin(true)
	if err := d.Write([]byte{0x80}, 100); codeOf(err) != CompressionError {
		t.Errorf("broken: %v", err)
	}
	d = NewDecoder(4096, func(string, string) {})
	d.Begin(true)
	if err := d.Write(block[:3], 100); err != nil {
		t.Fatal(err)
	}
	if err := d.End(); codeOf(err) != CompressionError {
		t.Errorf("cut off: %v", err)
	}
}
