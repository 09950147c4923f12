package http2

// Priority tells how soon a client wants a reply (RFC 9218, 4).
type Priority struct {
	Urgency     uint8 // 0 the most urgent, 7 the least
	Incremental bool  // pieces are of use before the whole is there
}

// defaultPriority is that of replies about which nothing was said.
func defaultPriority() Priority { return Priority{Urgency: 3} }

// parsePriority reads the value of a Priority field: a dictionary (RFC 8941,
// 3.2) of which only "u" and "i" mean something. What cannot be read is passed
// over, as RFC 9218, 5 advises for values that are out of range.
func parsePriority[T string | []byte](v T) Priority {
	p := defaultPriority()
	for i := 0; i < len(v); {
		for i < len(v) && (isBlank(v[i]) || v[i] == ',') {
			i++
		}
		from := i
		for i < len(v) && v[i] != ',' {
			i++
		}
		p.member(string(v[from:i]))
	}
	return p
}

// member reads one member of the dictionary.
func (p *Priority) member(m string) {
	for len(m) > 0 && isBlank(m[len(m)-1]) {
		m = m[:len(m)-1]
	}
	switch {
	case len(m) == 3 && m[:2] == "u=" && '0' <= m[2] && m[2] <= '7':
		p.Urgency = m[2] - '0'
	case m == "i" || m == "i=?1":
		p.Incremental = true
	case m == "i=?0":
		p.Incremental = false
	}
}
