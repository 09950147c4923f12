package request

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestParseRangesLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value  string
		length int64
		limit  int
		want   string
	}{
		{"bytes=0-0,1-1", 10, -1, "partial 0-0 1-1"},
		{"bytes=0-0,1-1", 10, 2, "partial 0-0 1-1"},
		{"bytes=0-0,1-1,2-2", 10, 2, "ignored"},
		{"bytes=0-0,90-,1-1", 10, 2, "partial 0-0 1-1"},
		{"bytes=0-0", 10, 0, "ignored"},
		{"bytes=0-9223372036854775807", math.MaxInt64, -1, "partial 0-9223372036854775806"},
		{"bytes=-9223372036854775807", 10, -1, "partial 0-9"},
		{"bytes=0-,0-", math.MaxInt64, -1, "unsatisfiable"},
		{"bytes=0-0" + strings.Repeat(",0-0", 9), 10, -1, "partial" + strings.Repeat(" 0-0", 10)},
		{"bytes=0-0" + strings.Repeat(",0-0", 10), 10, -1, "ignored"},
	}
	for _, test := range tests {
		ranges, outcome := ParseRanges(nil, []byte(test.value), test.length, test.limit)
		got := [...]string{"ignored", "partial", "unsatisfiable"}[outcome]
		for _, r := range ranges {
			if outcome == RangePartial {
				got += fmt.Sprintf(" %d-%d", r.Start, r.End-1)
			}
		}
		if got != test.want {
			t.Errorf("%.60s of %d, limit %d: got %s, want %s", test.value, test.length, test.limit, got, test.want)
		}
	}
}

func FuzzParseRanges(f *testing.F) {
	f.Add("bytes=0-1, 5-,-3", int64(10))
	f.Fuzz(func(t *testing.T, value string, length int64) {
		if length < 0 {
			return
		}
		ranges, outcome := ParseRanges(nil, []byte(value), length, 5)
		if outcome != RangePartial {
			return
		}
		total := int64(0)
		for _, r := range ranges {
			if r.Start < 0 || r.Start >= r.End || r.End > length {
				t.Fatalf("%q of %d: %v", value, length, r)
			}
			total += r.Len()
		}
		if len(ranges) == 0 || len(ranges) > 5 || total > length {
			t.Fatalf("%q of %d: %v", value, length, ranges)
		}
	})
}

func TestMultipartLength(t *testing.T) {
	t.Parallel()
	ranges := []Range{{0, 1}, {9, 10}, {10, 11}, {99, 1000}, {12345, 123456}}
	for _, contentType := range []string{"", "text/plain"} {
		m := NewMultipart([]byte(contentType), 999999)
		want := int64(len(m.AppendEnd(nil)))
		for _, r := range ranges {
			want += int64(len(m.AppendPart(nil, r))) + r.Len()
		}
		if got := m.Length(ranges); got != want {
			t.Errorf("type %q: got %d, want %d", contentType, got, want)
		}
	}
	if a, b := NewMultipart(nil, 1).ContentType(), NewMultipart(nil, 1).ContentType(); string(a) == string(b) {
		t.Errorf("two replies have the same boundary: %s", a)
	}
}
