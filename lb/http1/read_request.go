package http1

import "github.com/weir-lb/weir/lb/request"

// ParseRequest parses the head of a request at the start of buf (RFC 9112, 2
// and 3) into r: Head, Line, Method, Target, Scheme, the host, Version, Length,
// Verb and the framing of Body. n is the number of bytes of the head with the
// empty lines that came before it; 0 means that more bytes are needed, and the
// call is made again with all of them. Spans refer to buf.
//
// An error tells the status to answer with, after which the connection must be
// closed; Line is then as much of the request line as can be shown.
func ParseRequest(r *request.Request, buf []byte, lim *Limits) (n int, err *request.Error) {
	r.Head.Reset(buf)
	start, flt := skipEmptyLines(buf, lim)
	if flt != faultNone {
		return 0, lineError(r, start, flt)
	}
	line := requestLine{buf: buf[:upTo(start, lim.LineSize, len(buf))], at: start}
	flt = line.parse(r)
	if flt == faultMore && lim.LineSize > 0 && len(buf)-start >= lim.LineSize {
		flt = faultLong
	}
	if flt != faultNone {
		return 0, lineError(r, start, flt)
	}
	fields := fieldReader{head: &r.Head, lim: lim, section: requestHead, start: start, at: line.at}
	if flt = fields.read(); flt != faultNone {
		return 0, fieldError(buf[fields.at:], flt)
	}
	r.Length = int64(fields.at - start)
	if err := checkRequest(r); err != nil {
		return 0, err
	}
	return fields.at, nil
}

// skipEmptyLines returns where the request line begins (RFC 9112, 2.2). There
// may be as many empty lines as fit into a request line.
func skipEmptyLines(buf []byte, lim *Limits) (at int, flt fault) {
	end := upTo(0, lim.LineSize, len(buf))
	for at < end {
		switch {
		case buf[at] == '\n':
			at++
		case buf[at] != '\r':
			return at, faultNone
		case at+1 >= end:
			return at, lackOf(at+1, lim.LineSize)
		case buf[at+1] == '\n':
			at += 2
		default:
			return at, faultLine
		}
	}
	return at, lackOf(at, lim.LineSize)
}

// lackOf tells whether more bytes may help when n of at most size are here.
func lackOf(n, size int) fault {
	if size > 0 && n >= size {
		return faultLine
	}
	return faultMore
}

// checkRequest looks at the head as a whole.
func checkRequest(r *request.Request) *request.Error {
	if err := checkSingle(&r.Head); err != nil {
		return err
	}
	if err := checkHost(r); err != nil {
		return err
	}
	if err := RequestFraming(r); err != nil {
		return err
	}
	return checkVerb(r)
}

// CheckRequest looks at a head that another protocol has brought, as a whole
// and by the same rules; how its body is framed is the other protocol's.
func CheckRequest(r *request.Request) *request.Error {
	if err := checkSingle(&r.Head); err != nil {
		return err
	}
	if err := checkHost(r); err != nil {
		return err
	}
	return checkVerb(r)
}

// checkVerb refuses methods that a proxy of this kind does not serve.
func checkVerb(r *request.Request) *request.Error {
	switch r.Verb {
	case request.VerbConnect:
		return refuseHead(405, "client sent CONNECT method")
	case request.VerbTrace:
		return refuseHead(405, "client sent TRACE method")
	}
	return nil
}

// lineError turns a fault in the request line into an error, nil when only
// more bytes are needed.
func lineError(r *request.Request, start int, flt fault) *request.Error {
	if flt == faultMore {
		return nil
	}
	rest := r.Head.Buf[start:]
	r.Line = request.Span{Off: uint32(start), End: uint32(start + lineLength(rest))}
	switch flt {
	case faultMethod:
		return refuse(400, "client sent invalid method while reading client request line")
	case faultVersion:
		return refuse(505, "client sent invalid version while reading client request line")
	case faultLong:
		return refuse(414, "client sent too long URI while reading client request line")
	}
	return refuse(400, "client sent invalid request while reading client request line")
}

// fieldError turns a fault in the field lines into an error, nil when only
// more bytes are needed. line begins with the line at fault.
func fieldError(line []byte, flt fault) *request.Error {
	switch flt {
	case faultMore:
		return nil
	case faultLong:
		return refuseHead(494, "client sent too long header line: "+excerpt(line))
	case faultLarge:
		return refuseHead(494, "client sent too large request")
	case faultMany:
		return refuseHead(494, "client sent too many header lines")
	}
	return refuseHead(400, "client sent invalid header line: "+excerpt(line))
}
