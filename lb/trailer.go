package lb

import "github.com/weir-lb/weir/lb/request"

// trails tells whether `add_trailer` has something for a reply. Its body is
// then chunked although its length is known.
func (l *location) trails(status int) bool {
	for i := range l.trailers {
		if l.trailers[i].always || addsHeaders(status) {
			return true
		}
	}
	return false
}

// addTrailers puts the trailers of `add_trailer` behind those of the upstream,
// which may be nil.
func (l *location) addTrailers(r *request.Request, trailers *request.Head) *request.Head {
	for i := range l.trailers {
		h := &l.trailers[i]
		if !h.always && !addsHeaders(r.Reply.Status) {
			continue
		}
		v := h.value.Value(r)
		if len(v) == 0 {
			continue
		}
		if trailers == nil {
			trailers = &request.Head{}
			trailers.Reset(nil)
		}
		trailers.Add([]byte(h.name), v)
	}
	return trailers
}
