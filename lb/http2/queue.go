package http2

// queue holds the streams that wait for room, each urgency (RFC 9218) in the
// order of their coming. It belongs to the connection's lock.
type queue struct {
	lines [8][]*ServerStream
	n     int
}

// join puts a stream behind the others of its urgency.
func (q *queue) join(s *ServerStream) {
	if s.queued {
		return
	}
	s.queued = true
	line := &q.lines[s.priority.Urgency]
	*line = append(*line, s)
	q.n++
}

// leave takes a stream out.
func (q *queue) leave(s *ServerStream) {
	if !s.queued {
		return
	}
	s.queued = false
	for u := range q.lines {
		for i, other := range q.lines[u] {
			if other == s {
				q.cut(u, i)
				return
			}
		}
	}
}

func (q *queue) cut(u, i int) {
	line := q.lines[u]
	copy(line[i:], line[i+1:])
	line[len(line)-1] = nil
	q.lines[u] = line[:len(line)-1]
	q.n--
}

// next takes out the first stream of the most urgent ones that may send: a
// head always, a body when its window is open and the connection's is, too;
// nil: there is none.
func (q *queue) next(open bool) *ServerStream {
	for u := range q.lines {
		for i, s := range q.lines[u] {
			if open && s.send.Size() > 0 || s.heading {
				q.cut(u, i)
				s.queued = false
				return s
			}
		}
	}
	return nil
}
