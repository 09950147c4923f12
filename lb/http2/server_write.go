package http2

import "time"

// turnSize is how many bytes a stream may add before others that wait have
// their turn: about a TLS record.
const turnSize = 16 << 10

// crumbSize is what a DATA frame that could hold more should hold at least.
const crumbSize = 64

// Write sends a piece of the reply's body, the last one with end. It waits
// where the client takes no more. What an Offer has kept goes first.
func (s *ServerStream) Write(p []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.held) > 0 {
		kept := s.held
		if _, err := s.push(kept, end && len(p) == 0, false); err != nil {
			return err
		}
		s.held = kept[:0]
	}
	_, err := s.push(p, end, false)
	return err
}

// Offer is Write for who must not be held up: what the client does not take
// now is kept until the next Write. behind tells that there is such a rest.
func (s *ServerStream) Offer(p []byte, end bool) (behind bool, err error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.held) == 0 {
		if p, err = s.push(p, end, true); err != nil || len(p) == 0 {
			return false, err
		}
	}
	s.held = append(s.held, p...)
	return true, nil
}

// Held tells how many bytes an Offer has kept.
func (s *ServerStream) Held() int { return len(s.held) }

// Flush sends what is held back for the client, without waiting until it has
// taken it.
func (s *ServerStream) Flush() error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	return s.err
}

// push appends DATA frames as there is room, and waits where there is none.
// Offering, it waits only for others of the connection, not for the client, and
// returns what was not taken. The lock is held.
func (s *ServerStream) push(p []byte, end, offering bool) (rest []byte, err error) {
	c := s.c
	defer c.wakeNext()
	for turn := 0; len(p) > 0 || end && !s.sendEnd; {
		if s.err != nil {
			return p, s.err
		}
		n := s.room(len(p))
		if n == 0 && len(p) > 0 {
			c.flush()
			n = s.room(len(p))
		}
		switch {
		case s.err != nil:
			return p, s.err
		case n == 0 && len(p) > 0:
			late, err := s.await(offering)
			if late || err != nil {
				return p, err
			}
			turn = 0
		case turn >= turnSize && c.queue.n > 0:
			if err := s.yield(); err != nil {
				return p, err
			}
			turn = 0
		default:
			s.data(p[:n], end && n == len(p))
			p = p[n:]
			turn += n
		}
	}
	return nil, nil
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

// offerPatience is how long who offers waits for a client that takes nothing:
// one that is only busy will have taken something by then.
const offerPatience = 50 * time.Millisecond

// await waits for room. Who stands in the queue for longer than the client may
// take is reset; late tells that who offers has waited for long enough.
func (s *ServerStream) await(offering bool) (late bool, err error) {
	c := s.c
	limit := s.SendTimeout
	if offering {
		limit = offerPatience
	}
	until := deadline(limit)
	c.queue.join(s)
	defer c.queue.leave(s)
	for s.queued && s.err == nil {
		if s.wait(writing, until) {
			continue
		}
		if offering {
			return true, nil
		}
		return false, s.stall()
	}
	return false, s.err
}

// stall ends a stream whose client takes nothing.
func (s *ServerStream) stall() error {
	s.c.resetStream(s.id, Cancel)
	s.c.close(s, ErrStalled)
	s.c.flush()
	return s.err
}

// yield lets the others that wait go first.
func (s *ServerStream) yield() error {
	c := s.c
	c.queue.join(s)
	c.wakeNext()
	for s.queued && s.err == nil {
		if c.output.full() { // then it is the flush that gives turns
			c.flush()
		}
		if !s.queued {
			break
		}
		s.wait(writing, time.Time{})
	}
	return s.err
}
