package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxBody is the size of the largest body of a call or of its answer, in bytes.
const MaxBody = 1 << 20

// maxFrame is the largest frame: a body, and what stands before it.
const maxFrame = MaxBody + 1<<10

// errFrame says that bytes are no frame. The connection is of no use any more.
var errFrame = errors.New("malformed frame")

// writeFrame writes a length of four bytes, big-endian, and the payload.
func writeFrame(w io.Writer, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("frame of %d bytes, more than %d", len(payload), maxFrame)
	}
	b := make([]byte, 0, 4+len(payload))
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	_, err := w.Write(append(b, payload...))
	return err
}

// readFrame reads what writeFrame wrote. Memory grows with what has come, not
// with the length that is announced.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes are announced, more than %d", errFrame, n, maxFrame)
	}
	payload, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(payload)) < n {
		err = io.ErrUnexpectedEOF
	}
	return payload, err
}

// request is a call on its way: verb(1+n), time left in milliseconds(4), body.
type request struct {
	verb string
	left uint32 // milliseconds that the caller goes on to wait
	body []byte
}

func (q *request) encode() ([]byte, error) {
	if q.verb == "" || len(q.verb) > 255 || len(q.body) > MaxBody {
		return nil, fmt.Errorf("call %q with %d bytes cannot be sent: a verb has 1 to 255 bytes, a body at most %d", q.verb, len(q.body), MaxBody)
	}
	b := append([]byte{byte(len(q.verb))}, q.verb...)
	b = binary.BigEndian.AppendUint32(b, q.left)
	return append(b, q.body...), nil
}

func decodeRequest(b []byte) (q request, err error) {
	if len(b) < 1 || len(b) < 1+int(b[0])+4 || b[0] == 0 {
		return q, fmt.Errorf("%w: a call is cut off", errFrame)
	}
	n := 1 + int(b[0])
	q.verb, q.left, q.body = string(b[1:n]), binary.BigEndian.Uint32(b[n:]), b[n+4:]
	if len(q.body) > MaxBody {
		return q, fmt.Errorf("%w: a body of %d bytes", errFrame, len(q.body))
	}
	return q, nil
}

// The first byte of an answer, and of the greeting with which the side that
// accepted a connection begins.
const (
	statusDone    = 0 // the rest is the answer
	statusFailed  = 1 // the rest is a text
	statusRefused = 2 // likewise; nothing was done
)

// encodeAnswer writes a status and what goes with it.
func encodeAnswer(status byte, rest []byte) []byte { return append([]byte{status}, rest...) }

func decodeAnswer(b []byte) (status byte, rest []byte, err error) {
	if len(b) == 0 || b[0] > statusRefused {
		return 0, nil, fmt.Errorf("%w: an answer without status", errFrame)
	}
	return b[0], b[1:], nil
}
