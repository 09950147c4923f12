package http1

import "math"

// Limits bounds what is read of a head, and says which field names pass. It
// is made once per configuration and shared by all connections; nothing here
// changes it. A size of 0 means no limit. All sizes are in bytes and count
// line ends.
type Limits struct {
	LineSize      int  // of a request or status line
	FieldSize     int  // of one field line
	TotalSize     int  // of the whole head, and of the trailers of a body
	MaxFields     int  // number of field lines (max_headers)
	Underscores   bool // names with "_" pass (underscores_in_headers)
	IgnoreInvalid bool // other odd names are dropped (ignore_invalid_headers)
}

// mostFields is what the index of a head can count.
const mostFields = math.MaxUint16 - 1

// upTo returns at+size, cut to the end of the bytes that are here; a size of
// 0 does not cut.
func upTo(at, size, end int) int {
	if size > 0 && size < end-at {
		return at + size
	}
	return end
}

func (l *Limits) maxFields() int {
	if l.MaxFields <= 0 || l.MaxFields > mostFields {
		return mostFields
	}
	return l.MaxFields
}
