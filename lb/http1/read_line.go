package http1

import "github.com/weir-lb/weir/lb/request"

// Faults of a request line, beside those of any line.
const (
	faultMethod fault = iota + 100
	faultVersion
)

// requestLine reads "method SP target SP version" and its line end. buf ends
// where the line must have ended.
type requestLine struct {
	buf []byte
	at  int
}

// parse fills in the parts of the line and moves behind it. Exactly one space
// stands between two parts: what else a lenient reader could take for a
// separator is refused (RFC 9112, 3).
func (l *requestLine) parse(r *request.Request) fault {
	start := l.at
	if flt := l.method(r); flt != faultNone {
		return flt
	}
	if flt := l.target(r); flt != faultNone {
		return flt
	}
	if flt := l.version(r); flt != faultNone {
		return flt
	}
	r.Line = request.Span{Off: uint32(start), End: uint32(l.at)}
	return l.lineEnd()
}

func (l *requestLine) method(r *request.Request) fault {
	i := l.at
	if rest := l.buf[i:]; len(rest) > 4 && string(rest[:4]) == "GET " {
		r.Method, r.Verb = request.Span{Off: uint32(i), End: uint32(i + 3)}, request.VerbGet
		l.at = i + 4
		return faultNone
	}
	for i < len(l.buf) && byteClass[l.buf[i]]&byteMethod != 0 {
		i++
	}
	if i >= len(l.buf) {
		return faultMore
	}
	if i == l.at || l.buf[i] != ' ' {
		return faultMethod
	}
	r.Method = request.Span{Off: uint32(l.at), End: uint32(i)}
	r.Verb = request.VerbOf(l.buf[l.at:i])
	l.at = i + 1
	return faultNone
}

// target takes origin-form and absolute-form (RFC 9112, 3.2). The other two
// forms serve CONNECT and "OPTIONS *", neither of which weir answers.
func (l *requestLine) target(r *request.Request) fault {
	i := l.at
	if i >= len(l.buf) {
		return faultMore
	}
	if l.buf[i] != '/' && !isAlpha(l.buf[i]) {
		return faultLine
	}
	end := skipVisible(l.buf, i)
	if end >= len(l.buf) {
		return faultMore
	}
	if l.buf[end] != ' ' {
		return faultLine
	}
	r.Scheme, r.HostRaw = request.Span{}, request.Span{}
	r.Target = request.Span{Off: uint32(i), End: uint32(end)}
	l.at = end + 1
	if l.buf[i] != '/' {
		return absoluteForm(r, l.buf[:end], i)
	}
	return faultNone
}

// absoluteForm takes apart a URI at i, whose end is buf's (RFC 9112, 3.2.2).
// Where it has no path, Target is the first slash of "://", so that it reads
// "/", or begins with the "?" of the query.
func absoluteForm(r *request.Request, buf []byte, i int) fault {
	colon := i
	for colon < len(buf) && byteClass[buf[colon]]&byteScheme != 0 {
		colon++
	}
	if len(buf)-colon < 3 || string(buf[colon:colon+3]) != "://" {
		return faultLine
	}
	host := colon + 3
	path := host
	for path < len(buf) && buf[path] != '/' && buf[path] != '?' {
		path++
	}
	if !validHost(buf[host:path]) {
		return faultLine
	}
	r.Scheme = request.Span{Off: uint32(i), End: uint32(colon)}
	r.HostRaw = request.Span{Off: uint32(host), End: uint32(path)}
	r.Target = request.Span{Off: uint32(path), End: uint32(len(buf))}
	if path == len(buf) {
		r.Target = request.Span{Off: uint32(colon + 1), End: uint32(colon + 2)}
	}
	return faultNone
}

// versionLength is that of "HTTP/1.1".
const versionLength = 8

// version takes "HTTP/1." and a digit. A minor version above 1 is read as 1.1
// (RFC 9110, 2.5).
func (l *requestLine) version(r *request.Request) fault {
	v := l.buf[l.at:]
	if len(v) < versionLength {
		if lineLength(v) < len(v) {
			return faultLine
		}
		return faultMore
	}
	v = v[:versionLength]
	if string(v) == "HTTP/1.1" {
		r.Version = request.HTTP11
		l.at += versionLength
		return faultNone
	}
	if string(v[:5]) != "HTTP/" || v[5] < '1' || v[5] > '9' || v[6] != '.' || !isDigit(v[7]) {
		return faultLine
	}
	if v[5] != '1' {
		return faultVersion
	}
	r.Version = request.HTTP11
	if v[7] == '0' {
		r.Version = request.HTTP10
	}
	l.at += versionLength
	return faultNone
}

// lineEnd takes CR LF or a single LF (RFC 9112, 2.2).
func (l *requestLine) lineEnd() fault {
	rest := l.buf[l.at:]
	switch {
	case len(rest) > 0 && rest[0] == '\n':
		l.at++
	case len(rest) == 0 || rest[0] == '\r' && len(rest) == 1:
		return faultMore
	case rest[0] == '\r' && rest[1] == '\n':
		l.at += 2
	default:
		return faultLine
	}
	return faultNone
}
