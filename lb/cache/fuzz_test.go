package cache

import (
	"bytes"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

func headOf(lines ...string) *request.Head {
	h := &request.Head{}
	h.Reset(nil)
	for i := 0; i+1 < len(lines); i += 2 {
		h.Add([]byte(lines[i]), []byte(lines[i+1]))
	}
	return h
}

// FuzzControl: whatever Cache-Control holds, times stay in their bounds, and a
// directive that forbids something is not lost behind what follows it.
func FuzzControl(f *testing.F) {
	for _, s := range []string{
		"max-age=10", `private="a, b", no-cache="set-cookie"`, "max-age=99999999999999999999", `x="`, "a=b=c,,, ;", "max-stale", "max-age=-1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c := controlOf(headOf("Cache-Control", value))
		for _, n := range []int64{c.maxAge, c.sMaxAge, c.minFresh, c.maxStale, c.staleWhile, c.staleError} {
			if n < -1 || n > anyTime {
				t.Errorf("%q: %d", value, n)
			}
		}
		if c := controlOf(headOf("Cache-Control", "no-store, "+value)); !c.noStore {
			t.Errorf("%q hides no-store before it", value)
		}
		if c := controlOf(headOf("Cache-Control", value, "Cache-Control", "private")); !c.private {
			t.Errorf("%q hides private in another field", value)
		}
	})
}

// FuzzStoredHead: a head is read as it was written, and what was not written
// by weir is read without harm.
func FuzzStoredHead(f *testing.F) {
	f.Add([]byte("OK\r\nA: b\r\nContent-Type: x\r\n"), "X-A", "v")
	f.Add([]byte("\r\n: \r\n:\n"), "Set-Cookie", "")
	f.Fuzz(func(t *testing.T, stored []byte, name, value string) {
		var h request.Head
		readHead(&h, stored)
		for i := range h.Fields {
			_, _ = h.Name(&h.Fields[i]), h.Value(&h.Fields[i]) // no panic
		}
		if name == "" || bytes.ContainsAny([]byte(name), ": \t\r\n") || bytes.ContainsAny([]byte(value), "\r\n") || value == "" ||
			request.Known([]byte(name)) == request.FieldContentLength || request.Known([]byte(name)) == request.FieldTrailer {
			return
		}
		written := writeHead(nil, []byte("Fine"), headOf("Age", "1", name, value))
		if reason := readHead(&h, written); string(reason) != "Fine" || len(h.Fields) != 2 {
			t.Fatalf("%q: reason %q, %d fields", written, reason, len(h.Fields))
		}
		if got, ok := h.Find([]byte(name)); name != "Age" && !request.EqualFold([]byte(name), []byte("age")) && (!ok || string(got) != value) {
			t.Errorf("%q: %q, want %q", name, got, value)
		}
		if again := h.AppendFields(nil); !bytes.Equal(again, written[len("Fine\r\n"):]) {
			t.Errorf("%q was written on as %q", written, again)
		}
	})
}

// FuzzContentRange: what is taken for a range lies within its whole.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/100", "bytes 0-9/*", "bytes */5", "bytes 5-1/9", "bytes 0-99999999999999999999/1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		if span, total := contentRange(v); span.Start < 0 || span.End < span.Start || span.End > total {
			t.Errorf("%q: %v of %d", v, span, total)
		}
	})
}
