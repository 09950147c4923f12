package http1

import "github.com/weir-lb/weir/lb/request"

// ReplyLine is the status line of an upstream's reply. Reason refers to the
// buffer of the reply's head.
type ReplyLine struct {
	Version request.Version
	Status  int // 100 to 999
	Reason  request.Span
}

// ParseReply parses the status line and the fields of a reply at the start of
// buf (RFC 9112, 4). n is the number of bytes of the head, 0 when more are
// needed; then the call is made again with all of them. Spans refer to buf.
// The error's reason is in the words of the error log.
func ParseReply(h *request.Head, line *ReplyLine, buf []byte, lim *Limits) (n int, err *request.Error) {
	h.Reset(buf)
	at, flt := line.parse(buf[:upTo(0, lim.LineSize, len(buf))])
	if flt == faultMore && lim.LineSize > 0 && len(buf) >= lim.LineSize {
		flt = faultLarge
	}
	fields := fieldReader{head: h, lim: lim, section: replyHead, at: at}
	if flt == faultNone {
		flt = fields.read()
	} else if flt == faultLine {
		return 0, broken("upstream sent no valid HTTP/1.0 header: " + excerpt(buf))
	}
	switch flt {
	case faultNone:
		return fields.at, nil
	case faultMore:
		return 0, nil
	case faultLong, faultLarge:
		return 0, broken("upstream sent too big header")
	case faultMany:
		return 0, broken("upstream sent too many header lines")
	}
	return 0, broken("upstream sent invalid header: " + excerpt(buf[fields.at:]))
}

// statusEnd is where the status code of "HTTP/1.1 200" ends.
const statusEnd = 12

// parse reads the line and its line end. A missing reason, even with the space
// before it, is common and harmless.
func (l *ReplyLine) parse(buf []byte) (at int, flt fault) {
	head := buf[:min(len(buf), statusEnd)]
	if len(head) < statusEnd || string(head[:9]) != "HTTP/1.1 " || !isDigit(head[11]) || !isDigit(head[10]) || !statusByte(9, head[9]) {
		for i, c := range head {
			if !statusByte(i, c) {
				return 0, faultLine
			}
		}
		if len(head) < statusEnd {
			return 0, faultMore
		}
	}
	l.Version = request.HTTP11
	if head[7] == '0' {
		l.Version = request.HTTP10
	}
	l.Status = int(head[9]-'0')*100 + int(head[10]-'0')*10 + int(head[11]-'0')
	i := statusEnd
	if i < len(buf) && buf[i] == ' ' {
		i++
	}
	end, flt := valueEnd(buf, i)
	if flt != faultNone {
		return 0, flt
	}
	if i == statusEnd && end > i {
		return 0, faultLine
	}
	l.Reason = request.Span{Off: uint32(i), End: uint32(end)}
	if buf[end] == '\n' {
		return end + 1, faultNone
	}
	if end+1 >= len(buf) {
		return 0, faultMore
	}
	if buf[end+1] != '\n' {
		return 0, faultLine
	}
	return end + 2, faultNone
}

// statusByte tells whether c may stand at place i of "HTTP/1.d ddd".
func statusByte(i int, c byte) bool {
	const form = "HTTP/1.d sdd"
	switch form[i] {
	case 'd':
		return isDigit(c)
	case 's':
		return '1' <= c && c <= '9'
	}
	return c == form[i]
}
