package request

import (
	"bytes"
	"time"
)

// ParseDate reads a date of HTTP in any of its three forms (RFC 9110, 5.6.7).
// What follows a complete date behind a semicolon is left alone: old browsers
// add "; length=" to If-Modified-Since.
func ParseDate(b []byte) (t time.Time, ok bool) {
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		b = b[:i]
	}
	if t, ok = parseFixdate(b); ok {
		return t, true
	}
	for _, form := range []string{time.RFC850, time.ANSIC} {
		if t, err := time.Parse(form, string(b)); err == nil {
			return t.UTC(), true
		}
	}
	return t, false
}

// parseFixdate reads "Sun, 06 Nov 1994 08:49:37 GMT" without allocating.
func parseFixdate(b []byte) (t time.Time, ok bool) {
	if len(b) != 29 || string(b[3:5]) != ", " || string(b[25:]) != " GMT" ||
		b[7] != ' ' || b[11] != ' ' || b[16] != ' ' || b[19] != ':' || b[22] != ':' {
		return t, false
	}
	month := time.Month(0)
	for m := time.January; m <= time.December; m++ {
		if string(b[8:11]) == m.String()[:3] {
			month = m
		}
	}
	day, ok1 := parseDigits(b[5:7])
	year, ok2 := parseDigits(b[12:16])
	hour, ok3 := parseDigits(b[17:19])
	minute, ok4 := parseDigits(b[20:22])
	second, ok5 := parseDigits(b[23:25])
	if month == 0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	t = time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day // else the month is shorter
}

func parseDigits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
