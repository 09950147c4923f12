package route

// AppendEscapedPath writes a decoded path the way nginx does where it makes a
// URL of it: what may not stand in a path, and ? # %, as %XX.
func AppendEscapedPath(dst, path []byte) []byte {
	return appendEscaped(dst, path, " \"#%<>?\\^`{|}")
}

// AppendEscapedArgs writes a part of a query, with what would end it or be
// taken for a space as %XX.
func AppendEscapedArgs(dst, args []byte) []byte {
	return appendEscaped(dst, args, " \"#%&+;<>?\\^`{|}")
}

func appendEscaped(dst, src []byte, special string) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range src {
		if c <= ' ' || c >= 0x7f || isIn(c, special) {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func isIn(c byte, set string) bool {
	for i := 0; i < len(set); i++ {
		if set[i] == c {
			return true
		}
	}
	return false
}
