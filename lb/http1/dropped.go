package http1

import "github.com/weir-lb/weir/lb/request"

// NextDropped returns the first field line at or behind from that ParseRequest
// dropped because of its name (ignore_invalid_headers), so that the log can
// tell of it; the next search begins at line.End. The parser keeps no list of
// them: they are the gaps between the fields of r. It is called before
// anything is added to r.Head.
func NextDropped(r *request.Request, from uint32) (line request.Span, ok bool) {
	h := &r.Head
	end := r.Line.Off + uint32(r.Length)
	at := afterLine(h.Buf, r.Line.End)
	for i := 0; ; i++ {
		next := end
		if i < len(h.Fields) {
			next = h.Fields[i].Name.Off
		}
		// What lies between at and next are dropped lines, and in the end the
		// empty line.
		for at < next && h.Buf[at] != '\r' && h.Buf[at] != '\n' {
			stop := at + uint32(lineLength(h.Buf[at:]))
			if at >= from {
				return request.Span{Off: at, End: stop}, true
			}
			at = afterLine(h.Buf, stop)
		}
		if i >= len(h.Fields) {
			return request.Span{}, false
		}
		at = h.Fields[i].LineEnd
	}
}

// afterLine returns where the line behind the line end at i begins.
func afterLine(buf []byte, i uint32) uint32 {
	if buf[i] == '\r' {
		i++
	}
	return i + 1
}
