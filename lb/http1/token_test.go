package http1

import (
	"slices"
	"strings"
	"testing"
)

// TestSkips compares the searches in steps of eight bytes with the plain
// definition, for every byte in every place.
func TestSkips(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		skip func(b []byte, i int) int
		stop func(c byte) bool
	}{
		{"skipText", skipText, func(c byte) bool { return c < ' ' || c == 0x7f }},
		{"skipVisible", skipVisible, func(c byte) bool { return c <= ' ' || c == 0x7f }},
		{"skipName", skipName, func(c byte) bool { return nameClass[c] != 0 }},
	}
	fill := "A-z09a-Z9zAa-0Z9-b"
	for _, tt := range tests {
		for c := range 256 {
			for place := range fill {
				b := []byte(fill)
				b[place] = byte(c)
				if place > 0 && c&1 == 0 { // from which a sum may carry
					b[place-1] = 0xff
				}
				want := slices.IndexFunc(b, func(c byte) bool { return tt.stop(c) })
				if want < 0 {
					want = len(b)
				}
				for from := range want + 1 {
					if got := tt.skip(b, from); got != want {
						t.Fatalf("%s: byte %#x in place %d, from %d: %d, want %d", tt.name, c, place, from, got, want)
					}
				}
			}
		}
	}
}

// TestNameClass checks the table against RFC 9110, 5.6.2.
func TestNameClass(t *testing.T) {
	t.Parallel()
	const odd = "!#$%&'*+.^`|~"
	for c := range 256 {
		b := byte(c)
		want := uint8(nameForeign)
		switch {
		case b <= ' ' || b == 0x7f:
			want = nameForbidden
		case b == ':':
			want = nameEnd
		case b == '_':
			want = nameUnderscore
		case b == '-' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z':
			want = 0
		case b < 0x80 && strings.IndexByte(odd, b) >= 0:
			want = nameToken
		}
		if nameClass[b] != want {
			t.Errorf("byte %#x has class %d, want %d", b, nameClass[b], want)
		}
	}
}
