package http2

// FrameReader cuts received bytes into frames. It holds nothing but the bytes
// of a frame that has not come whole. It is for one goroutine.
type FrameReader struct {
	// MaxSize is the largest payload allowed; 0 means DefaultFrameSize.
	MaxSize int

	held []byte // the beginning of a frame
}

// Next cuts the next frame off p and returns what lies behind it. ok is false
// when p does not complete a frame; its bytes are kept then, and the next call
// gets the bytes that follow. payload is void at the next call.
func (r *FrameReader) Next(p []byte) (h FrameHead, payload, rest []byte, ok bool, err error) {
	if len(r.held) > 0 {
		return r.complete(p)
	}
	if len(p) < FrameHeadSize {
		r.keep(p)
		return h, nil, nil, false, nil
	}
	h = parseFrameHead(p)
	if err := r.check(&h); err != nil {
		return h, nil, nil, false, err
	}
	if end := FrameHeadSize + h.Length; end <= len(p) {
		return h, p[FrameHeadSize:end:end], p[end:], true, nil
	}
	r.keep(p)
	return h, nil, nil, false, nil
}

// complete goes on with the frame whose beginning is held.
func (r *FrameReader) complete(p []byte) (h FrameHead, payload, rest []byte, ok bool, err error) {
	if n := FrameHeadSize - len(r.held); n > 0 {
		n = min(n, len(p))
		r.held, p = append(r.held, p[:n]...), p[n:]
		if len(r.held) < FrameHeadSize {
			return h, nil, nil, false, nil
		}
	}
	h = parseFrameHead(r.held)
	if err := r.check(&h); err != nil {
		return h, nil, nil, false, err
	}
	n := min(FrameHeadSize+h.Length-len(r.held), len(p))
	r.held, p = append(r.held, p[:n]...), p[n:]
	if len(r.held) < FrameHeadSize+h.Length {
		return h, nil, nil, false, nil
	}
	payload = r.held[FrameHeadSize:]
	r.held = r.held[:0]
	return h, payload, p, true, nil
}

func (r *FrameReader) keep(p []byte) { r.held = append(r.held[:0], p...) }

func (r *FrameReader) check(h *FrameHead) error {
	limit := r.MaxSize
	if limit == 0 {
		limit = DefaultFrameSize
	}
	if h.Length > limit {
		return connError(FrameSizeError, "frame larger than SETTINGS_MAX_FRAME_SIZE")
	}
	return nil
}

// Partial tells whether the beginning of a frame is held.
func (r *FrameReader) Partial() bool { return len(r.held) > 0 }

// Rest frees the memory that a reader without a partial frame does not need.
func (r *FrameReader) Rest() {
	if len(r.held) == 0 {
		r.held = nil
	}
}
