package http1

import (
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// TestTidy: what is read the short way comes out as by the long one, for every
// byte in every place.
func TestTidy(t *testing.T) {
	t.Parallel()
	read := func(buf []byte, s section) (field request.Field, crlf bool, next int) {
		h := request.Head{Buf: buf, CRLF: true}
		f := fieldReader{head: &h, lim: nginxLimits(), section: s}
		next, flt := f.line(buf)
		if flt != faultNone || len(h.Fields) != 1 {
			return field, false, 0
		}
		return h.Fields[0], h.CRLF, next
	}
	short := 0
	for _, line := range []string{"Host: a.example\r\nX", "X-Odd: 1, 2\r\n\r\n", "Accept-Language:  \tde \r\n"} {
		for place := range line {
			for c := range 256 {
				buf := []byte(line)
				buf[place] = byte(c)
				for _, s := range []section{requestHead, replyHead, trailerPart} {
					h := request.Head{Buf: buf, CRLF: true}
					f := fieldReader{head: &h, lim: nginxLimits(), section: s}
					n := f.tidy(buf)
					if n == 0 {
						if len(h.Fields) != 0 {
							t.Fatalf("%q: refused, but there is a field", buf)
						}
						continue
					}
					short++
					if field, crlf, next := read(buf, s); next != n || !crlf || field != h.Fields[0] {
						t.Fatalf("%q: %+v of %d bytes, want %+v of %d", buf, h.Fields[0], n, field, next)
					}
				}
			}
		}
	}
	if short < 1000 {
		t.Errorf("only %d lines were read the short way", short)
	}
}
