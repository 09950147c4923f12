package request

import (
	"math/rand/v2"
	"strconv"
)

// Multipart frames several ranges of one resource as multipart/byteranges
// (RFC 9110, 14.6).
type Multipart struct {
	boundary    [20]byte
	contentType []byte
	length      int64
}

// NewMultipart begins a reply with several ranges of a resource of that type
// and length. Its boundary is twenty random digits, so that no file can hold
// it on purpose.
func NewMultipart(contentType []byte, length int64) *Multipart {
	m := &Multipart{contentType: contentType, length: length}
	n := rand.Uint64()
	for i := len(m.boundary) - 1; i >= 0; i-- {
		m.boundary[i] = byte('0' + n%10)
		n /= 10
	}
	return m
}

// ContentType is the reply's own type.
func (m *Multipart) ContentType() []byte {
	return append([]byte("multipart/byteranges; boundary="), m.boundary[:]...)
}

// AppendPart writes what stands before the bytes of a range.
func (m *Multipart) AppendPart(dst []byte, r Range) []byte {
	dst = append(dst, "\r\n--"...)
	dst = append(dst, m.boundary[:]...)
	if len(m.contentType) > 0 {
		dst = append(dst, "\r\nContent-Type: "...)
		dst = append(dst, m.contentType...)
	}
	dst = append(dst, "\r\nContent-Range: "...)
	dst = AppendContentRange(dst, r, m.length)
	return append(dst, "\r\n\r\n"...)
}

// AppendEnd writes what stands behind the last range.
func (m *Multipart) AppendEnd(dst []byte) []byte {
	dst = append(dst, "\r\n--"...)
	dst = append(dst, m.boundary[:]...)
	return append(dst, "--\r\n"...)
}

// Length is that of the whole body.
func (m *Multipart) Length(ranges []Range) int64 {
	digits := func(n int64) int64 { return int64(len(strconv.AppendInt(make([]byte, 0, 20), n, 10))) }
	head := int64(len(m.AppendPart(nil, Range{0, 1}))) - 2 // without the two numbers "0"
	n := int64(len(m.AppendEnd(nil)))
	for _, r := range ranges {
		n += head + digits(r.Start) + digits(r.End-1) + r.Len()
	}
	return n
}
