package request

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	const want = "1994-11-06T08:49:37Z"
	tests := []struct{ text, want string }{
		{"Sun, 06 Nov 1994 08:49:37 GMT", want},
		{"Sunday, 06-Nov-94 08:49:37 GMT", want},
		{"Sun Nov  6 08:49:37 1994", want},
		{"Sun, 06 Nov 1994 08:49:37 GMT; length=12", want},
		{"Thu, 29 Feb 2024 00:00:00 GMT", "2024-02-29T00:00:00Z"},
		{"", ""},
		{"Sun, 06 Nov 1994 08:49:37", ""},
		{"Sun, 06 Nov 1994 24:49:37 GMT", ""},
		{"Sun, 06 Nov 1994 08:60:37 GMT", ""},
		{"Sun, 06 Nov 1994 08:49:60 GMT", ""},
		{"Sun, 31 Nov 1994 08:49:37 GMT", ""},
		{"Sun, 00 Nov 1994 08:49:37 GMT", ""},
		{"Sun, 29 Feb 2023 00:00:00 GMT", ""},
		{"Sun, 06 nov 1994 08:49:37 GMT", ""},
		{"Sun, 06 Nov +994 08:49:37 GMT", ""},
		{"784111777", ""},
	}
	for _, test := range tests {
		got := ""
		if at, ok := ParseDate([]byte(test.text)); ok {
			got = at.Format(time.RFC3339)
		}
		if got != test.want {
			t.Errorf("%q: got %s, want %s", test.text, got, test.want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := parseFixdate([]byte(text))
		if !ok {
			return
		}
		// Go's parser looks at the weekday's name as well, ours does not.
		if want := at.Format("02 Jan 2006 15:04:05 GMT"); text[5:] != want {
			t.Fatalf("%q was read as %s", text, want)
		}
	})
}

func TestMatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list, etag string // an empty etag: the resource has none
		weak, want bool
	}{
		{`*`, ``, false, true},
		{`"a"`, ``, true, false},
		{`"a"`, `"a"`, false, true},
		{`"a"`, `"b"`, false, false},
		{`"a"`, `W/"a"`, false, false},
		{`"a"`, `W/"a"`, true, true},
		{`W/"a"`, `"a"`, true, true},
		{`W/"a"`, `"a"`, false, false},
		{`W/"a"`, `W/"a"`, true, true},
		{`"b" , W/"a"`, `"a"`, true, true},
		{`, ,"a"`, `"a"`, true, true},
		{`"aa"`, `"a"`, true, false},
		{`"a" "b"`, `"a"`, true, false},
		{`*, "b"`, `"a"`, true, false},
		{``, `"a"`, true, false},
		{`,`, `"a"`, true, false},
	}
	for _, test := range tests {
		var etag []byte
		if test.etag != "" {
			etag = []byte(test.etag)
		}
		if got := Matches([]byte(test.list), etag, test.weak); got != test.want {
			t.Errorf("Matches(%s, %s, weak %v) = %v", test.list, test.etag, test.weak, got)
		}
	}
}

// TestConditionWithoutDate is for resources of which nobody knows when they
// were last modified, as files always do.
func TestConditionWithoutDate(t *testing.T) {
	t.Parallel()
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	tests := []struct {
		field FieldID
		value string
		want  int
	}{
		{FieldIfModifiedSince, date, 0},
		{FieldIfUnmodifiedSince, date, 412},
		{FieldIfNoneMatch, `"a"`, 304},
	}
	for _, test := range tests {
		var h Head
		h.Reset(nil)
		h.Add([]byte(test.field.String()), []byte(test.value))
		if got := Condition(&h, Validators{ETag: []byte(`"a"`)}, config.ModifiedSinceExact); got != test.want {
			t.Errorf("%v: %s: got %d, want %d", test.field, test.value, got, test.want)
		}
	}
	var h Head
	h.Reset(nil)
	if !RangeHolds(&h, Validators{}) {
		t.Error("a range without If-Range does not hold")
	}
	h.Add([]byte("If-Range"), []byte(date))
	if RangeHolds(&h, Validators{}) {
		t.Error("a range holds for a date that is not known")
	}
}
