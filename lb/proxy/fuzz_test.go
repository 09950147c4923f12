package proxy

import (
	"bytes"
	"testing"

	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
)

// FuzzParseURL: whatever variables give, a URL that is accepted has a host,
// and its parts are what was written.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"http://a", "https://a:1/x?y#z", "http://[::1]:80/", "http://unix:/a:/b", "http://a?q", "http://:80", "ftp://a",
		"http://a:0", "http://a:65536", "http://[::1", "http://unix:", "http://a:b",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := parseURL(raw)
		if err != nil {
			return
		}
		if len(u.name) == 0 {
			t.Errorf("%q: no name", raw)
		}
		if !bytes.Contains(raw, u.name) {
			t.Errorf("%q: name %q was not written", raw, u.name)
		}
		if u.uri != nil && (len(u.uri) == 0 || u.uri[0] != '/') {
			t.Errorf("%q: URI %q", raw, u.uri)
		}
	})
}

// FuzzEscape: a target that goes to a peer has nothing in it that could end
// its line, and no more than one question mark from the path.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"/a b", "/a\r\nX: y", "/%41", "/\xff?", "/\x7f\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		var r request.Request
		for _, out := range [][]byte{escapePath(nil, path), escapeUnsafe(&r, path)} {
			if i := bytes.IndexFunc(out, func(c rune) bool { return c <= ' ' || c == 0x7f }); i >= 0 {
				t.Errorf("%q became %q", path, out)
			}
		}
		if bytes.IndexByte(escapePath(nil, path), '?') >= 0 {
			t.Errorf("%q: a question mark went through", path)
		}
		line := http1.AppendClean(nil, path)
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("%q: cleaned to %q", path, line)
		}
	})
}

// FuzzWithoutAttribute: taking an attribute off a cookie leaves the rest as it
// is and none of that name.
func FuzzWithoutAttribute(f *testing.F) {
	f.Add([]byte("a=b; Secure; Path=/"))
	f.Add([]byte("secure; SECURE=1; x"))
	f.Add([]byte("; ;"))
	f.Fuzz(func(t *testing.T, cookie []byte) {
		once := withoutAttribute(cookie, "secure")
		if twice := withoutAttribute(once, "secure"); !bytes.Equal(once, twice) {
			t.Errorf("%q: %q then %q", cookie, once, twice)
		}
		first, _, _ := bytes.Cut(cookie, []byte("; "))
		if !bytes.HasPrefix(once, first) {
			t.Errorf("%q lost its value: %q", cookie, once)
		}
	})
}
