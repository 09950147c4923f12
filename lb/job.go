package lb

import (
	"io"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// inputSize is the buffer that requests are read into; a head that needs more
// grows it up to what large_client_header_buffers allows.
const inputSize = 8 << 10

// job is everything that one request needs while it is in work. Idle
// connections have none.
type job struct {
	walk

	in       []byte
	pos, end int // received and not yet consumed
	body     http1.Decoder

	out     []byte  // held back for the client
	lent    *[]byte // where it lies; nil until the reply begins
	chunked bool
	keep    bool  // the connection stays open after the reply
	behind  bool  // the input came together with the request before
	began   int64 // of a head that has not come whole

	cancelled bool // the body's reading was interrupted
}

func newJob() *job { return &job{in: make([]byte, inputSize)} }

// begin makes the job ready for the next request of a connection.
func (j *job) begin(c *conn, g *generation) {
	j.chunked, j.keep = false, false
	c.Requests++
	j.walk.begin(c, &c.Conn, g)
	j.r.Out = j
	j.r.Pipelined = j.behind
}

// room returns the free part of the input while a head is read, grown up to a
// limit; nil when that is reached.
func (j *job) room(limit int) []byte {
	if j.end == len(j.in) {
		if len(j.in) >= limit {
			return nil
		}
		larger := make([]byte, min(2*len(j.in), limit))
		copy(larger, j.in)
		j.in = larger
	}
	return j.in[j.end:]
}

// advance drops what the last request used up; what came behind it moves to
// the front.
func (j *job) advance() {
	j.end = copy(j.in, j.in[j.pos:j.end])
	j.pos = 0
	j.behind = j.end > 0
}

// Next implements request.BodySource on the connection.
func (j *job) Next() ([]byte, error) {
	for {
		if j.body.Done() {
			return nil, io.EOF
		}
		if j.pos < j.end {
			piece, used, err := j.body.Next(j.in[j.pos:j.end])
			j.pos += used
			if err != nil {
				return nil, refusal(400, "client sent an invalid body ("+err.Error()+")")
			}
			if len(piece) > 0 {
				return piece, j.checkSize(len(piece))
			}
			if used > 0 {
				continue
			}
		}
		if err := j.receive(); err != nil {
			return nil, err
		}
	}
}

// receive reads more of the body; it is never called inside a Serve callback.
func (j *job) receive() error {
	r := &j.r
	if r.Body.Expect {
		r.Body.Expect = false
		if err := j.Interim(100, nil); err != nil {
			return refusal(499, "client closed connection")
		}
	}
	room := j.bodyRoom()
	j.c.ReadWithin(wire.Now(), j.loc.conf.ClientBodyTimeout)
	n, err := j.c.Read(room)
	j.end += n
	switch {
	case n > 0:
		return nil
	case err == wire.ErrTimeout:
		j.cutOff = true
		j.timedOut()
		return refusal(408, "client timed out (110: Connection timed out)")
	case err == wire.ErrInterrupted: // by Cancel: the client waits for its answer
		return refusal(400, "body given up")
	}
	j.cutOff = true
	return refusal(400, "client prematurely closed connection")
}

// bodyRoom returns the free part of the input behind the head, which is still
// being read from.
func (j *job) bodyRoom() []byte {
	start := len(j.r.Head.Buf)
	if j.end == len(j.in) {
		j.end = start + copy(j.in[start:], j.in[j.pos:j.end])
		j.pos = start
	}
	if len(j.in)-j.end < inputSize/4 { // the head alone fills the buffer
		larger := make([]byte, len(j.in)+inputSize)
		copy(larger, j.in[:j.end])
		j.in = larger
	}
	return j.in[j.end:]
}

// Whole implements request.BodySource.
func (j *job) Whole() ([]byte, bool) {
	if j.r.Body.Framing != request.FramingLength || j.body.Left() > int64(j.end-j.pos) {
		return nil, false
	}
	n := int(j.body.Left())
	p := j.in[j.pos : j.pos+n : j.pos+n]
	j.pos += n
	j.body.Advance(int64(n))
	return p, true
}

// Cancel implements request.BodySource.
func (j *job) Cancel() {
	j.cancelled = true
	j.c.Interrupt()
}

// uncancel forgets a Cancel, which would end every later wait of the
// connection as well: the body may have been read whole before it.
func (j *job) uncancel() {
	if j.cancelled {
		j.cancelled = false
		j.c.ClearInterrupt()
	}
}

// drain reads what the handlers left of the body, so that the next request
// can be found behind it; false when that is not worth it.
func (j *job) drain() bool {
	if j.body.Done() {
		return true
	}
	if j.r.Body.Expect { // the client waits for leave to send it
		return false
	}
	now := wire.Now()
	until := now + int64(j.loc.conf.LingeringTime)
	for !j.body.Done() {
		if j.pos < j.end {
			_, used, err := j.body.Next(j.in[j.pos:j.end])
			if err != nil {
				return false
			}
			j.pos += used
			if used > 0 {
				continue
			}
		}
		if j.c.inside || wire.Now() >= until || j.receive() != nil {
			return false
		}
	}
	return true
}

// lingering returns the settings by which the client's rest is read before the
// connection is closed; nil: it can be closed at once.
func (j *job) lingering() *location {
	if j.loc == nil || j.r.Reply.Broken || j.loc.conf.LingeringClose == config.LingeringOff {
		return nil
	}
	if j.loc.conf.LingeringClose == config.LingeringAlways || j.refused || !j.body.Done() || j.pos < j.end {
		return j.loc
	}
	return nil
}
