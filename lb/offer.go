package lb

import "github.com/weir-lb/weir/lb/http1"

// Offer is Write without waiting, for upstreams that must not be held up by
// their clients. What the client does not take at once is kept and leaves with
// the next Flush; behind tells that there is such a rest.
func (j *job) Offer(p []byte) (behind bool, err error) {
	r := &j.r
	if r.Reply.NoBody || len(p) == 0 {
		return false, nil
	}
	r.Reply.BodySent += int64(len(p))
	if j.chunked {
		j.out = http1.AppendChunkHead(j.out, len(p))
	}
	if behind, err = j.offer(p); err == nil && j.chunked {
		j.out = append(j.out, http1.ChunkTail...)
	}
	return behind, err
}

// offer is put without waiting.
func (j *job) offer(p []byte) (behind bool, err error) {
	if len(j.out)+len(p) <= outputSize {
		j.out = append(j.out, p...)
		return false, nil
	}
	if n := outputSize - len(j.out); n > 0 { // a full first segment, with the head
		j.out = append(j.out, p[:n]...)
		p = p[n:]
	}
	n, err := j.give(j.out)
	j.out = j.out[:copy(j.out, j.out[n:])]
	if err != nil {
		return false, err
	}
	if n = 0; len(j.out) == 0 && len(p) >= outputSize/2 {
		if n, err = j.give(p); err != nil {
			return false, err
		}
	} else if len(j.out) == 0 {
		j.out = append(j.out, p...)
		return j.c.Pending(), nil
	}
	behind = n < len(p) || j.c.Pending()
	j.out = append(j.out, p[n:]...)
	return behind, nil
}

// give writes what the client takes at once.
func (j *job) give(p []byte) (int, error) {
	var fd uintptr
	if j.c.inside {
		fd = j.c.fd
	}
	n, err := j.c.Stream.Offer(fd, p)
	j.r.Reply.Sent += int64(n)
	return n, err
}
