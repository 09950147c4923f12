package http2

import "time"

// turnSize is how many bytes a stream may add before others that wait have
// their turn: about a TLS record.
const turnSize = 16 << 10

// crumbSize is what a DATA frame that could hold more should hold at least.
const crumbSize = 64

// Write sends a piece of the reply's body, the last one with end. It waits
// where neither the client nor the stream's own buffer takes more.
func (s *ServerStream) Write(p []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := s.push(p, end, s.SendTimeout)
	return err
}

// offerPatience is how long who offers waits for a client that takes nothing:
// one that is only busy will have taken something by then.
const offerPatience = 50 * time.Millisecond

// Offer is Write for who must not be held up by a client. behind tells that the
// client does not keep up: further bytes had better be offered to somebody
// else first. What was offered is taken all the same.
func (s *ServerStream) Offer(p []byte, end bool) (behind bool, err error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	rest, err := s.push(p, end, offerPatience)
	if err == ErrStalled {
		s.held.put(rest)
		s.held.end = end
		c.queue.join(s)
		return true, nil
	}
	return false, err
}

// Finish waits until the client has taken, or the connection is about to send,
// all that was written.
func (s *ServerStream) Finish() error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for s.held.size > 0 {
		if err := s.await(deadline(s.SendTimeout), 0); err != nil {
			return s.stall(err)
		}
	}
	return s.err
}

// Flush sends what is held back for the client, without waiting until it has
// taken it.
func (s *ServerStream) Flush() error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	return s.err
}

// push appends DATA frames as there is room, and then fills the stream's own
// buffer. Where that is full it waits, but not for longer than patience, and
// returns what was not taken. The lock is held.
func (s *ServerStream) push(p []byte, end bool, patience time.Duration) (rest []byte, err error) {
	c := s.c
	for turn := 0; len(p) > 0 && s.err == nil; {
		n := 0
		if s.held.size == 0 && (turn < turnSize || c.queue.n == 0) {
			if n = s.room(len(p)); n == 0 {
				c.flushNow()
				n = s.room(len(p))
			}
		}
		switch space := max(s.Hold, turnSize) - s.held.size; {
		case s.err != nil:
		case n > 0:
			s.data(p[:n], end && n == len(p))
			p = p[n:]
			turn += n
		case space > 0:
			n = min(space, len(p))
			s.held.put(p[:n])
			p = p[n:]
			c.queue.join(s)
			c.wakeNext()
		default:
			c.flushNow()
			if err := s.await(deadline(patience), max(s.Hold, turnSize)/2); err == ErrStalled && patience == offerPatience {
				return p, err
			} else if err != nil {
				return p, s.stall(err)
			}
		}
	}
	if end && s.err == nil && !s.sendEnd {
		if s.held.size > 0 {
			s.held.end = true
		} else {
			s.data(nil, true)
		}
	}
	return p, s.err
}

// sendHeld moves a turn's worth of what is held into the output.
func (s *ServerStream) sendHeld() {
	for turn := 0; turn < turnSize && s.held.size > 0; {
		p := s.held.first()
		n := s.room(len(p))
		if n == 0 {
			break
		}
		s.data(p[:n], s.held.end && n == s.held.size)
		s.held.drop(n)
		turn += n
	}
	switch {
	case s.held.size > 0:
		s.c.queue.join(s)
	case s.sendEnd:
		s.held.end = false
	}
	if s.held.size <= s.wanted {
		s.cond.Broadcast()
	}
}

// room is how many of n bytes the next frame may hold.
func (s *ServerStream) room(n int) int {
	c := s.c
	if c.output.full() {
		return 0
	}
	most := min(n, DefaultFrameSize, s.send.Size(), c.send.Size())
	if s.Chunk > 0 {
		most = min(most, s.Chunk)
	}
	if most < crumbSize && most < n && most > 0 {
		c.output.crumbs++
	}
	return max(most, 0)
}

// data appends one DATA frame.
func (s *ServerStream) data(p []byte, end bool) {
	c := s.c
	h := FrameHead{Length: len(p), Type: FrameData, Stream: s.id}
	if end {
		h.Flags = FlagEndStream
	}
	c.output.close(append(AppendFrameHead(c.output.open(), h), p...))
	c.output.pieces++
	s.sent += int64(FrameHeadSize + len(p))
	s.send.Take(len(p))
	c.send.Take(len(p))
	if end {
		s.ended()
	}
}

// ended notes that the reply is complete.
func (s *ServerStream) ended() {
	s.sendEnd = true
	if s.recvEnd {
		s.c.remove(s)
	}
}

// await waits until no more than so many bytes are held, or until some time.
func (s *ServerStream) await(until time.Time, most int) error {
	s.wanted = most
	defer func() { s.wanted = 0 }()
	before := s.held.size
	for s.held.size > most && s.err == nil {
		if s.held.size < before { // the client has taken something
			return nil
		}
		if !s.wait(writing, until) {
			return ErrStalled
		}
	}
	return s.err
}

// stall ends a stream for an error; the client that takes nothing has it reset.
func (s *ServerStream) stall(err error) error {
	if err == ErrStalled && s.err == nil {
		s.c.resetStream(s.id, Cancel)
		s.c.close(s, ErrStalled)
		s.c.flush()
	}
	return s.err
}
