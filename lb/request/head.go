package request

// Span is a part of a Head's buffer, by offsets, so that it survives the
// buffer's growth.
type Span struct{ Off, End uint32 }

// Len is the number of bytes.
func (s Span) Len() int { return int(s.End - s.Off) }

// Field is one header field as received.
type Field struct {
	Name, Value Span
	LineEnd     uint32  // where the field's line ends, its line end included
	ID          FieldID // which of the known names it bears, or FieldOther
	Skip        bool    // not to be written on; see Head.Skips
}

// Head is the ordered list of header fields of a message, as spans of the
// bytes in which they arrived. Unchanged neighbours can be written on as one
// run of bytes.
type Head struct {
	Buf    []byte
	Fields []Field
	// CRLF tells that every line ends in CR LF with the value directly before
	// it, so that lines may be copied as they are.
	CRLF bool
	// The known names that are there, and those that are there more than once.
	seen, double FieldSet
	skip         FieldSet           // known names of which no field is written on
	first        [fieldCount]uint16 // index of the first field of each name in seen
}

// FieldSet is a set of known names; bit n stands for FieldID n.
type FieldSet uint64

// Set returns the set of the names given.
func Set(ids ...FieldID) (s FieldSet) {
	for _, id := range ids {
		s |= id.bit()
	}
	return s
}

// Has tells whether a name is in the set.
func (s FieldSet) Has(id FieldID) bool { return s&id.bit() != 0 }

func (id FieldID) bit() FieldSet { return 1 << (id & 63) }

// Reset empties the head and gives it the buffer that spans refer to.
func (h *Head) Reset(buf []byte) {
	h.Buf = buf
	h.CRLF = true
	h.Fields = h.Fields[:0]
	h.seen, h.double, h.skip = 0, 0, 0
}

// Bytes returns the bytes of a span.
func (h *Head) Bytes(s Span) []byte { return h.Buf[s.Off:s.End:s.End] }

// Name returns a field's name as received.
func (h *Head) Name(f *Field) []byte { return h.Bytes(f.Name) }

// Value returns a field's value without surrounding white space.
func (h *Head) Value(f *Field) []byte { return h.Bytes(f.Value) }

// Append adds a field whose bytes already stand in the buffer.
func (h *Head) Append(f Field) { *h.Next(f.ID) = f }

// Next adds a field of that name, or FieldOther, for the caller to fill in the
// rest: its bytes already stand in the buffer.
func (h *Head) Next(id FieldID) *Field {
	n := len(h.Fields)
	if n == cap(h.Fields) {
		h.Fields = append(h.Fields, Field{})
	}
	h.Fields = h.Fields[:n+1]
	if id != FieldOther {
		h.note(id, n)
	}
	f := &h.Fields[n]
	f.ID, f.Skip = id, false
	return f
}

// note remembers where the first field of a name is.
func (h *Head) note(id FieldID, at int) {
	if h.seen.Has(id) {
		h.double |= id.bit()
		return
	}
	h.seen |= id.bit()
	h.first[id] = uint16(at)
}

// Add appends a field with new bytes, written behind the buffer's contents.
func (h *Head) Add(name, value []byte) { addField(h, name, value) }

// AddText is Add for strings.
func (h *Head) AddText(name, value string) { addField(h, name, value) }

func addField[T string | []byte](h *Head, name, value T) {
	at := uint32(len(h.Buf))
	h.Buf = append(h.Buf, name...)
	span := Span{at, uint32(len(h.Buf))}
	h.Buf = append(h.Buf, ": "...)
	h.Buf = append(h.Buf, value...)
	h.Buf = append(h.Buf, "\r\n"...)
	end := uint32(len(h.Buf))
	h.Append(Field{Name: span, Value: Span{span.End + 2, end - 2}, LineEnd: end, ID: Known(h.Bytes(span))})
}

// Has tells whether a field of a known name is there.
func (h *Head) Has(id FieldID) bool { return h.seen.Has(id) }

// Seen returns the known names that are there.
func (h *Head) Seen() FieldSet { return h.seen }

// Double returns the known names that are there more than once.
func (h *Head) Double() FieldSet { return h.double }

// Get returns the value of the first field of a known name.
func (h *Head) Get(id FieldID) ([]byte, bool) {
	if !h.seen.Has(id) {
		return nil, false
	}
	return h.Value(&h.Fields[h.first[id]]), true
}

// Kept tells whether a field of a known name is there that will be written on.
// A nil head has none.
func (h *Head) Kept(id FieldID) bool {
	if h == nil || !h.seen.Has(id) || h.skip.Has(id) {
		return false
	}
	if !h.double.Has(id) {
		return !h.Fields[h.first[id]].Skip
	}
	for i := int(h.first[id]); i < len(h.Fields); i++ {
		if f := &h.Fields[i]; f.ID == id && !f.Skip {
			return true
		}
	}
	return false
}

// Skips tells whether a field is not to be written on: hop by hop, hidden or
// replaced.
func (h *Head) Skips(f *Field) bool { return f.Skip || h.skip.Has(f.ID) }

// First returns the index of the first field of a known name, or -1.
func (h *Head) First(id FieldID) int {
	if !h.seen.Has(id) {
		return -1
	}
	return int(h.first[id])
}

// Find returns the value of the first field of that name, in any case.
func (h *Head) Find(name []byte) ([]byte, bool) {
	if id := Known(name); id != FieldOther {
		return h.Get(id)
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == FieldOther && EqualFold(h.Name(f), name) {
			return h.Value(f), true
		}
	}
	return nil, false
}

// SkipAll marks every field of a known name as not to be written on.
func (h *Head) SkipAll(id FieldID) { h.skip |= id.bit() }

// SkipEach is SkipAll for several names.
func (h *Head) SkipEach(ids FieldSet) { h.skip |= ids }

// SkipNone takes all marks back.
func (h *Head) SkipNone() {
	h.skip = 0
	for i := range h.Fields {
		h.Fields[i].Skip = false
	}
}

// SkipName marks every field of that name, in any case, as not to be written
// on.
func (h *Head) SkipName(name []byte) {
	if id := Known(name); id != FieldOther {
		h.SkipAll(id)
		return
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == FieldOther && EqualFold(h.Name(f), name) {
			f.Skip = true
		}
	}
}

// AppendFields writes every field that is not skipped behind dst, unchanged
// neighbours as one run.
func (h *Head) AppendFields(dst []byte) []byte {
	if !h.CRLF {
		return h.appendEach(dst)
	}
	for i := 0; i < len(h.Fields); {
		if h.Skips(&h.Fields[i]) {
			i++
			continue
		}
		from := h.Fields[i].Name.Off
		end := h.Fields[i].LineEnd
		for i++; i < len(h.Fields) && !h.Skips(&h.Fields[i]) && h.Fields[i].Name.Off == end; i++ {
			end = h.Fields[i].LineEnd
		}
		dst = append(dst, h.Buf[from:end]...)
	}
	return dst
}

// appendEach writes field by field, for heads whose lines cannot be copied.
func (h *Head) appendEach(dst []byte) []byte {
	for i := range h.Fields {
		f := &h.Fields[i]
		if h.Skips(f) {
			continue
		}
		dst = append(dst, h.Name(f)...)
		dst = append(dst, ": "...)
		dst = append(dst, h.Value(f)...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// EqualFold compares ASCII bytes without regard to case.
func EqualFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if d := b[i]; c != d && lower(c) != lower(d) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
