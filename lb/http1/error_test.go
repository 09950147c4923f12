package http1

import (
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", excerptSize)
	tests := []struct{ in, want string }{
		{"", `""`},
		{"A: b\r\nC: d", `"A: b"`},
		{"a\x00\xff\"\n", `"a\x00\xff\""`},
		{long + "\r\n", `"` + long + `"`},
		{long + "x\r\n", `"` + long + `..."`},
		{long, `"` + long + `"`},
		{long[1:] + "\r\nmore", `"` + long[1:] + `"`},
	}
	for _, tt := range tests {
		if got := excerpt([]byte(tt.in)); got != tt.want {
			t.Errorf("%q: %s", tt.in, got)
		}
	}
}
