package gossip

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The frames of a stream: four bytes of length, one of what it is, then the body. The side that dialed says hello and is
// welcomed; after that either side sends what it has to say.
const (
	frameHello   = 1 // magic, id, boot
	frameWelcome = 2 // id, boot, number of the last post that came
	frameVector  = 3 // how far ledgers go at the sender: all of them, or those that have changed
	frameWant    = 4 // after which marks the sender lacks something
	frameDelta   = 5 // what a ledger has after a mark
	framePost    = 6 // number, kind, payload
	frameAck     = 7 // number of a post that has been taken in
)

const (
	frameHead  = 5
	frameLimit = 512 << 10 // of the body
	deltaLimit = 32 << 10  // of the entries in one frame
	streamName = "weir-sync/1"
)

// frame begins one; seal ends it.
func frame(what byte) []byte { return append(make([]byte, 4, 64), what) }

func seal(f []byte) []byte {
	binary.BigEndian.PutUint32(f, uint32(len(f)-frameHead))
	return f
}

// readFrame reads one frame into buf, which it may replace by a longer one.
func readFrame(from io.Reader, buf []byte) (what byte, body, next []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, buf, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > frameLimit {
		return 0, nil, buf, fmt.Errorf("frame of %d bytes: %w", size, errOversized)
	}
	// What is announced is not believed before it comes: memory grows with what has been read.
	body = buf[:0]
	for len(body) < int(size) {
		n := len(body)
		more := min(int(size)-n, max(4096, n))
		body = append(body, make([]byte, more)...)
		if _, err := io.ReadFull(from, body[n:]); err != nil {
			return 0, nil, buf, io.ErrUnexpectedEOF
		}
	}
	return head[4], body, body, nil
}

// hello is who is at one end of a stream.
type hello struct {
	id   nodeID
	boot uint64
	last uint64 // in a welcome: the last post that came from the one who dialed
}

func (h hello) encode(what byte) []byte {
	f := frame(what)
	f = appendText(f, streamName)
	f = append(f, h.id[:]...)
	f = binary.AppendUvarint(f, h.boot)
	return seal(binary.AppendUvarint(f, h.last))
}

func decodeHello(body []byte) (hello, error) {
	r := reader{rest: body}
	if r.text() != streamName {
		return hello{}, errMalformed
	}
	h := hello{id: r.id(), boot: r.uvarint(), last: r.uvarint()}
	return h, r.done()
}

// vectorFrame makes a vector or want. A complete vector stands also for what it does not list.
func vectorFrame(what byte, complete bool, marks map[nodeID]mark) []byte {
	f := frame(what)
	var flags byte
	if complete {
		flags = 1
	}
	f = append(f, flags)
	for id, m := range marks {
		f = append(f, id[:]...)
		f = binary.AppendUvarint(f, m.boot)
		f = binary.AppendUvarint(f, m.seq)
	}
	return seal(f)
}

func decodeVector(body []byte) (complete bool, marks map[nodeID]mark, err error) {
	r := reader{rest: body}
	complete = r.byte()&1 != 0
	marks = map[nodeID]mark{}
	for r.more() {
		id := r.id()
		marks[id] = mark{boot: r.uvarint(), seq: r.uvarint()}
	}
	return complete, marks, r.done()
}

// deltaFrames cuts a delta into frames.
func deltaFrames(d delta) (frames [][]byte) {
	for {
		size, n := 0, 0
		for n < len(d.entries) && size < deltaLimit {
			size += entrySize(d.entries[n])
			n++
		}
		part := d
		part.entries = d.entries[:n]
		if n < len(d.entries) {
			part.to = d.entries[n-1].seq
		}
		frames = append(frames, part.encode())
		if n == len(d.entries) {
			return frames
		}
		d.entries, d.from = d.entries[n:], part.to
	}
}

func (d delta) encode() []byte {
	f := append(frame(frameDelta), d.writer[:]...)
	f = binary.AppendUvarint(f, d.boot)
	f = binary.AppendUvarint(f, d.from)
	f = binary.AppendUvarint(f, d.to)
	var flags byte
	if d.full {
		flags = 1
	}
	f = append(f, flags)
	for _, e := range d.entries {
		f = appendEntry(f, e)
	}
	return seal(f)
}

func decodeDelta(body []byte) (delta, error) {
	r := reader{rest: body}
	d := delta{batch: batch{writer: r.id(), boot: r.uvarint()}, from: r.uvarint(), to: r.uvarint()}
	d.full = r.byte()&1 != 0
	for r.more() {
		e := r.entry()
		if e.seq <= d.from || e.seq > d.to {
			return delta{}, errMalformed
		}
		d.entries = append(d.entries, e)
	}
	if d.boot == 0 {
		return delta{}, errMalformed
	}
	return d, r.done()
}
