package http1

import "testing"

func TestDecodePath(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	tests := []struct {
		raw, merged, unmerged string // unmerged is empty where it is the same
	}{
		{"/", "/", ""},
		{"/a/b.c", "/a/b.c", ""},
		{"", "/", ""},
		// Dots (RFC 3986, 5.2.4).
		{"/.", "/", ""},
		{"/a/.", "/a/", ""},
		{"/a/./b", "/a/b", ""},
		{"/a/..", "/", ""},
		{"/a/b/../c", "/a/c", ""},
		{"/a/b/../../c", "/c", ""},
		{"/.a/..b/...", "/.a/..b/...", ""},
		{"/a./b..", "/a./b..", ""},
		{"/..", refused, ""},
		{"/../a", refused, ""},
		{"/a/../..", refused, ""},
		{"/a/../../b", refused, ""},
		// Slashes.
		{"//", "/", "//"},
		{"//a", "/a", "//a"},
		{"/a//b///c", "/a/b/c", "/a//b///c"},
		{"/a//../b", "/b", "/a/b"},
		{"/a//./b", "/a/b", "/a//b"},
		// Percent-encoding: an encoded byte means what the byte means.
		{"/%41%7a", "/Az", ""},
		{"/%C3%a4", "/\xc3\xa4", ""},
		{"/a%20b+c", "/a b+c", ""},
		{"/a%3fb%23c%25d", "/a?b#c%d", ""},
		{"/%2541", "/%41", ""},
		{"/a%2fb", "/a/b", ""},
		{"/a/%2fb", "/a/b", "/a//b"},
		{"/a/%2e%2e/b", "/b", ""},
		{"/a/.%2E%2fb", "/b", ""},
		{"/%2e%2e/a", refused, ""},
		{"/%2f..%2f", refused, "/"},
		{"/a/%2e%2e%2f%2e%2e", refused, ""},
		{"/%0a", "/\n", ""},
		// What cannot be decoded.
		{"/%00", refused, ""},
		{"/%", refused, ""},
		{"/%4", refused, ""},
		{"/%4g", refused, ""},
		{"/%zz", refused, ""},
	}
	for _, tt := range tests {
		for _, merge := range []bool{true, false} {
			want := tt.merged
			if !merge && tt.unmerged != "" {
				want = tt.unmerged
			}
			path, plain, err := DecodePath([]byte("before"), []byte(tt.raw), merge)
			got := string(path)
			if err != nil {
				got = refused
				if err.Status != 400 {
					t.Errorf("%q: status %d", tt.raw, err.Status)
				}
			}
			if got != want || plain != (want == tt.raw) {
				t.Errorf("%q, merge %v: %q, plain %v, want %q", tt.raw, merge, got, plain, want)
			}
		}
	}
}

func TestSplitTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target, path, args string
		has                bool
	}{
		{"/a", "/a", "", false},
		{"/a?", "/a", "", true},
		{"/a?b=c?d", "/a", "b=c?d", true},
		{"?b", "", "b", true},
		{"/a#b?c", "/a", "", false},
		{"/a?b#c", "/a", "b", true},
	}
	for _, tt := range tests {
		path, args, has := SplitTarget([]byte(tt.target))
		if string(path) != tt.path || string(args) != tt.args || has != tt.has {
			t.Errorf("%q: %q %q %v", tt.target, path, args, has)
		}
	}
}
