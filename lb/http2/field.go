package http2

// Bits of the bytes of a field's name.
const (
	nameOdd        uint8 = 1 << iota // of a token (RFC 9110, 5.6.2), but neither letter, digit nor hyphen
	nameUnderscore                   // odd by another directive
	nameBad                          // must not stand in a name, upper case included (RFC 9113, 8.2.1)
)

var nameClass = makeNameClass()

func makeNameClass() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-':
		case c == '_':
			t[i] = nameUnderscore
		case isOdd(c):
			t[i] = nameOdd
		default:
			t[i] = nameBad
		}
	}
	return t
}

func isOdd(c byte) bool {
	const odd = "!#$%&'*+.^`|~"
	for i := range len(odd) {
		if odd[i] == c {
			return true
		}
	}
	return false
}

// classOfName returns what kinds of bytes a field's name holds; an empty name
// is bad.
func classOfName(name string) (seen uint8) {
	if name == "" {
		return nameBad
	}
	for i := range len(name) {
		seen |= nameClass[name[i]]
	}
	return seen
}

// validValue tells whether a value holds no control byte but the tab, and no
// white space around it (RFC 9113, 8.2.1; RFC 9110, 5.5).
func validValue(v string) bool {
	if v == "" {
		return true
	}
	if isBlank(v[0]) || isBlank(v[len(v)-1]) {
		return false
	}
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isConnectionSpecific tells whether a field belongs to one connection of
// HTTP/1, which HTTP/2 knows by other means (RFC 9113, 8.2.2).
func isConnectionSpecific(name string) bool {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// appendLower appends a name in lower case; a byte that cannot stand in a name
// becomes a hyphen.
func appendLower[T string | []byte](dst []byte, name T) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if nameClass[c]&nameBad != 0 {
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// cleanValue returns a value in which bytes that would end a line of HTTP/1 are
// spaces; where there are any, it is made anew in scratch.
func cleanValue(scratch *[]byte, v []byte) []byte {
	for i, c := range v {
		if c == '\r' || c == '\n' || c == 0 {
			return replaceBreaks(scratch, v, i)
		}
	}
	return v
}

func replaceBreaks(scratch *[]byte, v []byte, from int) []byte {
	dst := append((*scratch)[:0], v...)
	for i := from; i < len(dst); i++ {
		if c := dst[i]; c == '\r' || c == '\n' || c == 0 {
			dst[i] = ' '
		}
	}
	*scratch = dst
	return dst
}

// parseLength reads a Content-Length (RFC 9110, 8.6): decimal digits only.
func parseLength(v string) (n int64, ok bool) {
	if v == "" || len(v) > 18 {
		return 0, false
	}
	for i := range len(v) {
		c := v[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
