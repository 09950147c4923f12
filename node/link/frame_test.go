package link

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzFrame: whatever comes, a frame is read as it was written or not at all,
// and the same of calls.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 6, 1, 'a', 0, 0, 0, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 2, 200, 'a'})
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := bytes.NewReader(wire)
		payload, err := readFrame(r)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, payload); err != nil || !bytes.Equal(again.Bytes(), wire[:len(wire)-r.Len()]) {
			t.Fatalf("%x becomes %x, %v", wire, again.Bytes(), err)
		}
		q, err := decodeRequest(payload)
		if err != nil {
			return
		}
		if b, err := q.encode(); err != nil || !bytes.Equal(b, payload) {
			t.Fatalf("%x becomes %x, %v", payload, b, err)
		}
	})
}

// TestFrameErrors names what is no frame.
func TestFrameErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wire string
		want error
	}{
		{"", io.EOF},
		{"\x00\x00", io.ErrUnexpectedEOF},
		{"\x00\x00\x00\x05abc", io.ErrUnexpectedEOF},
		{"\x00\x10\x04\x01", errFrame},
	} {
		if _, err := readFrame(bytes.NewReader([]byte(c.wire))); !errors.Is(err, c.want) {
			t.Errorf("%q: %v", c.wire, err)
		}
	}
	for _, payload := range []string{"", "\x00\x00\x00\x00\x00", "\x02a\x00\x00\x00"} {
		if q, err := decodeRequest([]byte(payload)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %+v, %v", payload, q, err)
		}
	}
	for _, payload := range []string{"", "\x03"} {
		if _, _, err := decodeAnswer([]byte(payload)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", payload, err)
		}
	}
	if err := writeFrame(io.Discard, make([]byte, maxFrame+1)); err == nil {
		t.Error("too long, and written")
	}
}
