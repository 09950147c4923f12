package request

import (
	"strings"
	"testing"
)

// makeHead builds a head of "name:value" fields as a codec does, with "|" as
// line end.
func makeHead(t *testing.T, text string) *Head {
	t.Helper()
	h := new(Head)
	buf := []byte(strings.ReplaceAll(text, "|", "\r\n"))
	h.Reset(buf)
	for at := 0; at < len(buf); {
		end := at + strings.Index(string(buf[at:]), "\r\n")
		colon := at + strings.IndexByte(string(buf[at:]), ':')
		value := colon + 1
		for buf[value] == ' ' {
			value++
		}
		h.Append(Field{
			Name:    Span{uint32(at), uint32(colon)},
			Value:   Span{uint32(value), uint32(end)},
			LineEnd: uint32(end + 2),
			ID:      Known(buf[at:colon]),
		})
		at = end + 2
	}
	return h
}

func written(h *Head) string {
	return strings.ReplaceAll(string(h.AppendFields(nil)), "\r\n", "|")
}

func TestHeadLookup(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "host: a|X-Own: b|Cookie: c|x-own: d|COOKIE: e|Empty:|")
	for name, want := range map[string]string{"Host": "a", "HOST": "a", "cookie": "c", "X-OWN": "b", "empty": ""} {
		if v, ok := h.Find([]byte(name)); !ok || string(v) != want {
			t.Errorf("Find %s: %q, %v", name, v, ok)
		}
	}
	for _, name := range []string{"Hos", "Host2", "", "X", "Date"} {
		if v, ok := h.Find([]byte(name)); ok {
			t.Errorf("Find %q: %q", name, v)
		}
	}
	if v, ok := h.Get(FieldCookie); !ok || string(v) != "c" {
		t.Errorf("Get: %q, %v", v, ok)
	}
	if !h.Has(FieldHost) || h.Has(FieldDate) || h.First(FieldCookie) != 2 || h.First(FieldDate) != -1 {
		t.Errorf("Has or First is wrong: %d, %d", h.First(FieldCookie), h.First(FieldDate))
	}
}

func TestHeadSkip(t *testing.T) {
	t.Parallel()
	const all = "Host: a|X: 1|Cookie: b|x: 2|cookie: c|Y:3|"
	tests := []struct {
		name string
		skip func(h *Head)
		want string
	}{
		{"nothing", func(*Head) {}, all},
		{"known name", func(h *Head) { h.SkipAll(FieldCookie) }, "Host: a|X: 1|x: 2|Y:3|"},
		{"known name in text", func(h *Head) { h.SkipName([]byte("COOKIE")) }, "Host: a|X: 1|x: 2|Y:3|"},
		{"other name", func(h *Head) { h.SkipName([]byte("x")) }, "Host: a|Cookie: b|cookie: c|Y:3|"},
		{"what is not there", func(h *Head) { h.SkipAll(FieldDate); h.SkipName([]byte("z")) }, all},
		{"first and last", func(h *Head) { h.SkipAll(FieldHost); h.SkipName([]byte("Y")) }, "X: 1|Cookie: b|x: 2|cookie: c|"},
		{"everything", func(h *Head) {
			for i := range h.Fields {
				h.Fields[i].Skip = true
			}
		}, ""},
	}
	for _, tt := range tests {
		h := makeHead(t, all)
		tt.skip(h)
		if got := written(h); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHeadThatCannotBeCopied: without CRLF every line is made anew.
func TestHeadThatCannotBeCopied(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "A:1|B:  2|C: 3|")
	h.CRLF = false
	h.SkipName([]byte("C"))
	if got := written(h); got != "A: 1|B: 2|" {
		t.Errorf("got %q", got)
	}
}

// TestHeadGap: a line between two fields that is no field is not copied with
// them.
func TestHeadGap(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "A: 1|B: 2|C: 3|")
	h.Fields = append(h.Fields[:1], h.Fields[2:]...)
	if got := written(h); got != "A: 1|C: 3|" {
		t.Errorf("got %q", got)
	}
}

func TestHeadAdd(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "A: 1|")
	h.Add([]byte("X-Forwarded-For"), []byte("192.0.2.1"))
	h.Add([]byte("Empty"), nil)
	if got := written(h); got != "A: 1|X-Forwarded-For: 192.0.2.1|Empty: |" {
		t.Errorf("got %q", got)
	}
	if v, ok := h.Get(FieldXForwardedFor); !ok || string(v) != "192.0.2.1" {
		t.Errorf("got %q, %v", v, ok)
	}
}

func TestHeadResetForgets(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "Host: a|X: b|")
	h.CRLF = false
	h.Reset([]byte("other"))
	if h.Has(FieldHost) || len(h.Fields) != 0 || !h.CRLF {
		t.Errorf("left over: %+v", h)
	}
	if _, ok := h.Find([]byte("X")); ok {
		t.Error("X is still found")
	}
}

// TestHeadBytesCannotGrow: appending to a value must not write over what comes
// behind it.
func TestHeadBytesCannotGrow(t *testing.T) {
	t.Parallel()
	h := makeHead(t, "A: 1|B: 2|")
	_ = append(h.Value(&h.Fields[0]), "xxxx"...)
	if got := written(h); got != "A: 1|B: 2|" {
		t.Errorf("got %q", got)
	}
}

func TestEqualFold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b  string
		equal bool
	}{
		{"", "", true}, {"aZ-9", "Az-9", true}, {"a", "b", false}, {"a", "aa", false},
		{"@", "`", false}, {"[", "{", false}, {"\xc4", "\xe4", false},
	}
	for _, tt := range tests {
		if got := EqualFold([]byte(tt.a), []byte(tt.b)); got != tt.equal {
			t.Errorf("%q, %q: %v", tt.a, tt.b, got)
		}
	}
}
