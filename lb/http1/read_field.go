package http1

import "github.com/weir-lb/weir/lb/request"

// fault is why a line or a head could not be taken.
type fault uint8

const (
	faultNone  fault = iota
	faultMore        // it is not complete yet
	faultLine        // the line is not well-formed
	faultLong        // the line is longer than allowed
	faultLarge       // the head is larger than allowed
	faultMany        // it has too many fields
)

// section is where fields stand; each has rules of its own.
type section uint8

const (
	// Names that nginx finds odd are dropped or passed, as Limits says.
	requestHead section = iota
	// White space before the colon is taken away (RFC 9112, 5.1).
	replyHead
	// Every line ends in CR LF, like all of the chunked coding.
	trailerPart
)

// fieldReader reads the field lines of one head.
type fieldReader struct {
	head    *request.Head
	lim     *Limits
	section section
	start   int // where the whole head begins, for Limits.TotalSize
	at      int // where the next line begins; after a fault, the bad line
}

// read appends every field to the head and moves behind the empty line. It
// never looks beyond what the limits allow, so that the outcome does not
// depend on how many bytes have arrived.
func (f *fieldReader) read() fault {
	all := f.head.Buf
	most := f.lim.maxFields()
	total := upTo(f.start, f.lim.TotalSize, len(all))
	for lines := 0; ; lines++ {
		end := upTo(f.at, f.lim.FieldSize, total)
		if lines < most {
			if n := f.tidy(all[f.at:end]); n > 0 {
				f.at += n
				continue
			}
		}
		next, flt := f.line(all[:end])
		if flt == faultMore {
			return f.lack()
		}
		if flt != faultNone {
			return flt
		}
		if next < 0 {
			return faultNone
		}
		if lines >= most {
			return faultMany
		}
		f.at = next
	}
}

// lack tells why a line is not complete. A limit that is just reached counts:
// there may be no room for the byte that would tell.
func (f *fieldReader) lack() fault {
	all := len(f.head.Buf)
	switch {
	case f.lim.FieldSize > 0 && all-f.at >= f.lim.FieldSize:
		return faultLong
	case f.lim.TotalSize > 0 && all-f.start >= f.lim.TotalSize:
		return faultLarge
	}
	return faultMore
}

// tidy reads a line as most are, "Name: value" with CR LF, at the start of line,
// and returns its length; 0, and nothing is done, where it is another, or not
// all here.
func (f *fieldReader) tidy(line []byte) int {
	if len(line) == 0 || line[0] <= ' ' { // the end of the head, behind which a body would be searched in vain
		return 0
	}
	colon := colonIn(line)
	if len(line)-colon < 3 || line[colon+1] != ' ' || line[colon+2] <= ' ' {
		return 0
	}
	value := colon + 2
	end := skipText(line, value)
	if len(line)-end < 2 || line[end] != '\r' || line[end+1] != '\n' || line[end-1] == ' ' {
		return 0
	}
	id := request.Known(line[:colon])
	if id == request.FieldOther && (colon == 0 || skipName(line[:colon], 0) < colon) {
		return 0
	}
	at := uint32(f.at)
	field := f.head.Next(id)
	field.Name = request.Span{Off: at, End: at + uint32(colon)}
	field.Value = request.Span{Off: at + uint32(value), End: at + uint32(end)}
	field.LineEnd = at + uint32(end) + 2
	return end + 2
}

// line reads one line of any kind and returns where the next one begins; -1 when it was
// the empty line, behind which f.at then stands.
func (f *fieldReader) line(buf []byte) (next int, flt fault) {
	if f.at >= len(buf) {
		return 0, faultMore
	}
	switch buf[f.at] {
	case '\r', '\n':
		end, flt := f.lineEnd(buf, f.at)
		if flt == faultNone {
			f.at = end
		}
		return -1, flt
	}
	return f.field(buf)
}

// lineEnd takes the line end at i. Only CR LF and a single LF are line ends;
// a CR elsewhere makes the message invalid (RFC 9112, 2.2).
func (f *fieldReader) lineEnd(buf []byte, i int) (next int, flt fault) {
	if buf[i] == '\n' {
		if f.section == trailerPart {
			return 0, faultLine
		}
		f.head.CRLF = false
		return i + 1, faultNone
	}
	if i+1 >= len(buf) {
		return 0, faultMore
	}
	if buf[i] != '\r' || buf[i+1] != '\n' {
		return 0, faultLine
	}
	return i + 2, faultNone
}

// field reads one field line: name, colon, value. A line that begins with
// white space (obs-fold) has no name and is refused (RFC 9112, 5.2).
func (f *fieldReader) field(buf []byte) (next int, flt fault) {
	nameStop := skipName(buf, f.at)
	colon, seen := nameStop, uint8(0)
	if colon >= len(buf) || buf[colon] != ':' {
		if nameStop, colon, seen, flt = f.oddName(buf); flt != faultNone {
			return 0, flt
		}
	}
	if nameStop == f.at {
		return 0, faultLine
	}
	tidy := nameStop == colon
	value := colon + 1
	if value < len(buf) && buf[value] == ' ' {
		value++
	}
	for value < len(buf) && isBlank(buf[value]) {
		value++
		tidy = false
	}
	end, flt := valueEnd(buf, value)
	if flt != faultNone {
		return 0, flt
	}
	if next, flt = f.lineEnd(buf, end); flt != faultNone {
		return 0, flt
	}
	if seen != 0 {
		if keep, ok := f.judge(seen); !ok {
			return 0, faultLine
		} else if !keep {
			return next, faultNone
		}
	}
	for end > value && isBlank(buf[end-1]) {
		end--
		tidy = false
	}
	if !tidy {
		f.head.CRLF = false
	}
	f.head.Append(request.Field{
		Name:    request.Span{Off: uint32(f.at), End: uint32(nameStop)},
		Value:   request.Span{Off: uint32(value), End: uint32(end)},
		LineEnd: uint32(next),
		ID:      request.Known(buf[f.at:nameStop]),
	})
	return next, faultNone
}

// oddName finds the end of a name that has more in it than letters, digits
// and hyphens, and tells what it has.
func (f *fieldReader) oddName(buf []byte) (nameStop, colon int, seen uint8, flt fault) {
	i := f.at
	for i < len(buf) && nameClass[buf[i]] < nameEnd {
		seen |= nameClass[buf[i]]
		i++
	}
	nameStop = i
	if f.section == replyHead && i > f.at {
		for i < len(buf) && isBlank(buf[i]) {
			i++
		}
	}
	switch {
	case i >= len(buf):
		return 0, 0, 0, faultMore
	case buf[i] != ':':
		return 0, 0, 0, faultLine
	}
	return nameStop, i, seen, faultNone
}

// valueEnd returns the index of the line end behind a value. Control bytes
// other than the tab are refused (RFC 9110, 5.5).
func valueEnd(buf []byte, i int) (int, fault) {
	for {
		i = skipText(buf, i)
		if i >= len(buf) {
			return 0, faultMore
		}
		switch buf[i] {
		case '\r', '\n':
			return i, faultNone
		case '\t':
			i++
		default:
			return 0, faultLine
		}
	}
}

// judge tells by the kinds of bytes seen in a name whether its field is kept,
// and whether the message is acceptable at all.
func (f *fieldReader) judge(seen uint8) (keep, ok bool) {
	if f.section != requestHead {
		return true, seen&nameForeign == 0
	}
	odd := seen&(nameToken|nameForeign) != 0 || !f.lim.Underscores
	if odd && f.lim.IgnoreInvalid {
		return false, true
	}
	return true, seen&nameForeign == 0
}
