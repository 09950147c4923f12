package http2

import "encoding/binary"

// FrameType is the kind of a frame (RFC 9113, 6).
type FrameType uint8

// The frame types. Unknown ones are passed over (RFC 9113, 5.5).
const (
	FrameData           FrameType = 0x0
	FrameHeaders        FrameType = 0x1
	FramePriority       FrameType = 0x2
	FrameRSTStream      FrameType = 0x3
	FrameSettings       FrameType = 0x4
	FramePushPromise    FrameType = 0x5
	FramePing           FrameType = 0x6
	FrameGoAway         FrameType = 0x7
	FrameWindowUpdate   FrameType = 0x8
	FrameContinuation   FrameType = 0x9
	FramePriorityUpdate FrameType = 0x10 // RFC 9218, 7
)

// The flags; which one a bit means depends on the frame's type.
const (
	FlagAck        uint8 = 0x1 // SETTINGS, PING
	FlagEndStream  uint8 = 0x1 // DATA, HEADERS
	FlagEndHeaders uint8 = 0x4 // HEADERS, CONTINUATION
	FlagPadded     uint8 = 0x8 // DATA, HEADERS
	FlagPriority   uint8 = 0x20
)

// Preface is what a client sends first (RFC 9113, 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	// FrameHeadSize is the length of a frame's head in bytes.
	FrameHeadSize = 9
	// DefaultFrameSize is the largest payload that any peer takes.
	DefaultFrameSize = 16384

	maxFrameSize = 1<<24 - 1
	maxStream    = 1<<31 - 1
)

// FrameHead is the head of a frame (RFC 9113, 4.1).
type FrameHead struct {
	Length int // of the payload, in bytes
	Type   FrameType
	Flags  uint8
	Stream uint32
}

// Has tells whether a flag is set.
func (h *FrameHead) Has(flag uint8) bool { return h.Flags&flag != 0 }

// parseFrameHead reads the head at the start of p, which must hold all of it.
func parseFrameHead(p []byte) FrameHead {
	return FrameHead{
		Length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]),
		Type:   FrameType(p[3]),
		Flags:  p[4],
		Stream: binary.BigEndian.Uint32(p[5:]) & maxStream,
	}
}

// AppendFrameHead appends a frame's head.
func AppendFrameHead(dst []byte, h FrameHead) []byte {
	dst = append(dst, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), h.Flags)
	return binary.BigEndian.AppendUint32(dst, h.Stream)
}

// setFrameHead writes a head over the first bytes of p, for frames whose
// length is known last.
func setFrameHead(p []byte, h FrameHead) { AppendFrameHead(p[:0], h) }

// AppendPing appends a PING (RFC 9113, 6.7).
func AppendPing(dst []byte, data [8]byte, ack bool) []byte {
	h := FrameHead{Length: 8, Type: FramePing}
	if ack {
		h.Flags = FlagAck
	}
	return append(AppendFrameHead(dst, h), data[:]...)
}

// AppendGoAway appends a GOAWAY (RFC 9113, 6.8); last is the highest stream
// that was or may be worked on.
func AppendGoAway(dst []byte, last uint32, code ErrorCode) []byte {
	dst = AppendFrameHead(dst, FrameHead{Length: 8, Type: FrameGoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendRSTStream appends a RST_STREAM (RFC 9113, 6.4).
func AppendRSTStream(dst []byte, stream uint32, code ErrorCode) []byte {
	dst = AppendFrameHead(dst, FrameHead{Length: 4, Type: FrameRSTStream, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindowUpdate appends a WINDOW_UPDATE (RFC 9113, 6.9); stream 0 is the
// connection.
func AppendWindowUpdate(dst []byte, stream uint32, n int32) []byte {
	dst = AppendFrameHead(dst, FrameHead{Length: 4, Type: FrameWindowUpdate, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

// dataOf returns the data of a DATA frame without its padding.
func dataOf(h *FrameHead, p []byte) ([]byte, error) {
	if !h.Has(FlagPadded) {
		return p, nil
	}
	if len(p) == 0 || int(p[0]) >= len(p) {
		return nil, connError(ProtocolError, "DATA frame with invalid padding")
	}
	return p[1 : len(p)-int(p[0])], nil
}

// blockOf returns the part of a header block that a HEADERS frame holds, and
// the stream that it depends on, 0 for none (RFC 9113, 6.2).
func blockOf(h *FrameHead, p []byte) (block []byte, parent uint32, err error) {
	padding := 0
	if h.Has(FlagPadded) {
		if len(p) == 0 {
			return nil, 0, connError(FrameSizeError, "HEADERS frame too short for its padding")
		}
		padding, p = int(p[0]), p[1:]
	}
	if h.Has(FlagPriority) {
		if len(p) < 5 {
			return nil, 0, connError(FrameSizeError, "HEADERS frame too short for its priority")
		}
		parent, p = binary.BigEndian.Uint32(p)&maxStream, p[5:]
	}
	if padding > len(p) {
		return nil, 0, connError(ProtocolError, "HEADERS frame with invalid padding")
	}
	return p[:len(p)-padding], parent, nil
}
