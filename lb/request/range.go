package request

import (
	"math"
	"strconv"
)

// Range is a part of a resource: the bytes from Start up to, but without, End.
type Range struct{ Start, End int64 }

// Len is the number of bytes.
func (r Range) Len() int64 { return r.End - r.Start }

// RangeOutcome says what to answer to a Range field.
type RangeOutcome uint8

// The outcomes.
const (
	RangeIgnored       RangeOutcome = iota // the whole resource: 200
	RangePartial                           // the ranges: 206
	RangeUnsatisfiable                     // none of them exists: 416
)

// ParseRanges reads a Range field (RFC 9110, 14.2) for a resource of length
// bytes and appends its ranges, in the order asked for, to dst. Ranges that
// lie behind the end are dropped. More than limit ranges (below 0: no limit),
// or ranges that together are longer than the resource, are ignored: they
// would cost more than they save.
func ParseRanges(dst []Range, value []byte, length int64, limit int) ([]Range, RangeOutcome) {
	const unit = "bytes="
	if limit == 0 || len(value) <= len(unit) || !equalLower(value[:len(unit)], unit) {
		return dst, RangeIgnored
	}
	p := rangeParser{rest: value[len(unit):], length: length}
	total := int64(0)
	for {
		r, ok := p.next()
		if !ok {
			return dst, RangeUnsatisfiable
		}
		switch {
		case r.Start < r.End:
			if limit > 0 && len(dst) == limit {
				return dst, RangeIgnored
			}
			if total > math.MaxInt64-r.Len() {
				return dst, RangeUnsatisfiable
			}
			dst, total = append(dst, r), total+r.Len()
		case r.Start == 0: // all of an empty resource
			return dst, RangeIgnored
		}
		if len(p.rest) == 0 {
			break
		}
		p.rest = p.rest[1:] // the comma
	}
	switch {
	case len(dst) == 0:
		return dst, RangeUnsatisfiable
	case total > length:
		return dst, RangeIgnored
	}
	return dst, RangePartial
}

// rangeParser walks a list of ranges, with spaces wherever nginx allows them.
type rangeParser struct {
	rest   []byte
	length int64
}

// next reads one range up to the comma behind it or the end of the list.
func (p *rangeParser) next() (r Range, ok bool) {
	p.spaces()
	if len(p.rest) > 0 && p.rest[0] == '-' {
		p.rest = p.rest[1:]
		n, ok := p.number()
		if !ok {
			return r, false
		}
		// nginx counts a suffix back from the end, and one of nothing as behind it.
		return Range{max(p.length-n, 0), p.length}, p.atEnd()
	}
	if r.Start, ok = p.number(); !ok {
		return r, false
	}
	p.spaces()
	if len(p.rest) == 0 || p.rest[0] != '-' {
		return r, false
	}
	p.rest = p.rest[1:]
	p.spaces()
	if len(p.rest) == 0 || p.rest[0] == ',' {
		r.End = p.length
		return r, true
	}
	last, ok := p.number()
	if !ok {
		return r, false
	}
	r.End = p.length
	if last < p.length {
		r.End = last + 1
	}
	return r, p.atEnd()
}

func (p *rangeParser) spaces() {
	for len(p.rest) > 0 && p.rest[0] == ' ' {
		p.rest = p.rest[1:]
	}
}

// atEnd skips spaces and tells whether a range may end here.
func (p *rangeParser) atEnd() bool {
	p.spaces()
	return len(p.rest) == 0 || p.rest[0] == ','
}

func (p *rangeParser) number() (n int64, ok bool) {
	i := 0
	for ; i < len(p.rest) && '0' <= p.rest[i] && p.rest[i] <= '9'; i++ {
		d := int64(p.rest[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = 10*n + d
	}
	p.rest = p.rest[i:]
	return n, i > 0
}

// AppendContentRange writes the value of Content-Range for a range of a
// resource of length bytes.
func AppendContentRange(dst []byte, r Range, length int64) []byte {
	dst = append(dst, "bytes "...)
	dst = strconv.AppendInt(dst, r.Start, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, r.End-1, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, length, 10)
}

// AppendUnsatisfied writes the value of Content-Range for a reply of 416.
func AppendUnsatisfied(dst []byte, length int64) []byte {
	return strconv.AppendInt(append(dst, "bytes */"...), length, 10)
}

func equalLower(b []byte, s string) bool {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}
