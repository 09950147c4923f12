package http2

import "encoding/binary"

// maxWindow is the largest a window may get (RFC 9113, 6.9.1).
const maxWindow = 1<<31 - 1

// SendWindow is how many bytes of DATA the peer is ready to take, of a stream
// or of a connection. It may be negative after the peer has made its initial
// window smaller.
type SendWindow struct{ n int32 }

// NewSendWindow returns a window of n bytes.
func NewSendWindow(n int32) SendWindow { return SendWindow{n} }

// Size returns how many bytes may be sent; 0 or less: none.
func (w *SendWindow) Size() int { return int(w.n) }

// Take uses up n bytes, of which there must be as many.
func (w *SendWindow) Take(n int) { w.n -= int32(n) }

// Add enlarges the window, or makes it smaller by a negative n; false when it
// would become larger than RFC 9113, 6.9.1 allows.
func (w *SendWindow) Add(n int32) bool {
	sum := int64(w.n) + int64(n)
	if sum > maxWindow || sum < -maxWindow {
		return false
	}
	w.n = int32(sum)
	return true
}

// RecvWindow is how many bytes of DATA the peer may send, of a stream or of a
// connection. What was consumed is given back in large pieces.
type RecvWindow struct {
	size int32 // what the window is when nothing waits
	left int32 // what the peer may send now
	owed int32 // consumed and not yet given back
}

// NewRecvWindow returns a window of n bytes.
func NewRecvWindow(n int32) RecvWindow { return RecvWindow{size: n, left: n} }

// Receive takes note of n bytes received; false when they were too many.
func (w *RecvWindow) Receive(n int) bool {
	if int64(n) > int64(w.left) {
		return false
	}
	w.left -= int32(n)
	return true
}

// Consume takes note of n bytes that are no longer held, and returns how much
// to tell the peer by WINDOW_UPDATE now, 0 for nothing.
func (w *RecvWindow) Consume(n int) (update int32) {
	w.owed += int32(n)
	if w.owed < w.size/2 {
		return 0
	}
	update, w.owed = w.owed, 0
	w.left += update
	return update
}

// Grow makes the window larger and returns how much to tell the peer; 0 when
// it is as large already.
func (w *RecvWindow) Grow(size int32) (update int32) {
	if size <= w.size {
		return 0
	}
	update = size - w.size
	w.size = size
	w.left += update
	return update
}

// windowUpdate reads the payload of a WINDOW_UPDATE.
func windowUpdate(h *FrameHead, p []byte) (n int32, err error) {
	if len(p) != 4 {
		return 0, connError(FrameSizeError, "WINDOW_UPDATE frame of invalid length")
	}
	n = int32(binary.BigEndian.Uint32(p) & maxWindow)
	if n > 0 {
		return n, nil
	}
	if h.Stream == 0 {
		return 0, connError(ProtocolError, "WINDOW_UPDATE frame with an increment of 0")
	}
	return 0, streamError(h.Stream, ProtocolError, "WINDOW_UPDATE frame with an increment of 0")
}
