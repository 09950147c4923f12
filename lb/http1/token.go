package http1

import (
	"encoding/binary"
	"math/bits"
)

// Classes of the bytes of a field name. The classes of bytes that may stand in
// a name are bits, so that one pass tells which kinds a name holds.
const (
	nameUnderscore = 1 << iota // nginx: valid with underscores_in_headers
	nameToken                  // valid by RFC 9110, 5.6.2, odd for nginx
	nameForeign                // visible or above ASCII, but no token byte
	nameEnd                    // colon
	nameForbidden              // control bytes and space
)

// Bits of byteClass.
const (
	byteMethod = 1 << iota // of a method, as nginx takes it: A-Z _ -
	byteScheme             // of a URI scheme (RFC 3986, 3.1)
	byteHost               // of a registered name in a host (RFC 3986, 3.2.2)
	byteDigit
	byteHex
	byteUpper
)

var (
	nameClass = makeNameClass()
	byteClass = makeByteClass()
)

func makeNameClass() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		switch {
		case c <= ' ' || c == 0x7f:
			t[i] = nameForbidden
		case c == ':':
			t[i] = nameEnd
		case c == '_':
			t[i] = nameUnderscore
		case isAlpha(c) || isDigit(c) || c == '-':
			t[i] = 0
		case isOneOf(c, "!#$%&'*+.^`|~"):
			t[i] = nameToken
		default:
			t[i] = nameForeign
		}
	}
	return t
}

func makeByteClass() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		upper := 'A' <= c && c <= 'Z'
		if upper || c == '_' || c == '-' {
			t[i] |= byteMethod
		}
		if isAlpha(c) || isDigit(c) || isOneOf(c, "+-.") {
			t[i] |= byteScheme
		}
		// unreserved and sub-delims; the dot is looked at apart. Percent-encoding
		// is left out: two readers would take such a host for two hosts.
		if isAlpha(c) || isDigit(c) || isOneOf(c, "-_~!$&'()*+,;=") {
			t[i] |= byteHost
		}
		if isDigit(c) {
			t[i] |= byteDigit
		}
		if _, ok := unhex(c); ok {
			t[i] |= byteHex
		}
		if upper {
			t[i] |= byteUpper
		}
	}
	return t
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isOneOf(c byte, set string) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) (v byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// eachByte repeats a byte eight times.
const eachByte = 0x0101010101010101

// skipText returns the index of the first byte from i on that is a control
// byte (below 0x20, or 0x7f), or len(b).
func skipText(b []byte, i int) int { return skipFrom(b, i, 0x20) }

// skipVisible returns the index of the first byte from i on that is a control
// byte or a space, or len(b).
func skipVisible(b []byte, i int) int { return skipFrom(b, i, 0x21) }

// skipFrom looks for a byte below low, or 0x7f, eight bytes at a time. In a
// mask the lowest bit that is set may be wrong only because 1 was carried from
// a 0xff below it: then the rest is searched byte by byte.
func skipFrom(b []byte, i int, low byte) int {
	rest := b[i:]
	lows := eachByte * uint64(low)
	n := 0
	for ; n <= len(rest)-8; n += 8 {
		x := binary.LittleEndian.Uint64(rest[n:])
		if m := ((x - lows) | (x + eachByte)) &^ x & (eachByte << 7); m != 0 {
			n += bits.TrailingZeros64(m) >> 3
			break
		}
	}
	for n < len(rest) && rest[n] >= low && rest[n] != 0x7f {
		n++
	}
	return i + n
}

// colonIn returns the index of the first colon, or len(b). The lowest bit of
// each mask is exact.
func colonIn(b []byte) int {
	n := 0
	for ; n <= len(b)-8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:]) ^ eachByte*':'
		if m := (x - eachByte) &^ x & (eachByte << 7); m != 0 {
			return n + bits.TrailingZeros64(m)>>3
		}
	}
	for n < len(b) && b[n] != ':' {
		n++
	}
	return n
}

// skipName returns the index of the first byte from i on that is no letter,
// digit or hyphen, or len(b); eight bytes at a time. Bytes are compared by
// adding to their lower seven bits what carries into the eighth, so that
// nothing spreads to a neighbour.
func skipName(b []byte, i int) int {
	const high = eachByte << 7
	rest := b[i:]
	n := 0
	for ; n <= len(rest)-8; n += 8 {
		x := binary.LittleEndian.Uint64(rest[n:])
		y := x &^ high
		z := y | eachByte*0x20
		letter := (z + eachByte*(0x80-'a')) &^ (z + eachByte*(0x7f-'z'))
		digit := (y + eachByte*(0x80-'0')) &^ (y + eachByte*(0x7f-'9'))
		hyphen := ^((y ^ eachByte*'-') + eachByte*0x7f)
		if m := ^(letter | digit | hyphen) | x; m&high != 0 {
			return i + n + bits.TrailingZeros64(m&high)>>3
		}
	}
	for n < len(rest) && nameClass[rest[n]] == 0 {
		n++
	}
	return i + n
}
