package upstream

import (
	"maps"
	"reflect"
	"slices"
)

// lineup is the servers of a configuration under the edits, in their order. It
// does not change, but lines of the next one may lie behind its own.
type lineup struct {
	lines   []Server
	asks    bool              // one of them is a name to be asked for
	last    uint64            // the largest index of an addition
	written map[ServerID]bool // ids of the configuration's; nil: not worked out yet
}

// lined returns the lineup of file and edits.
func (s *statements) lined() *lineup {
	if s.lineup == nil {
		l := &lineup{lines: s.edits.over(&s.file)}
		for i := range l.lines {
			l.asks = l.asks || l.lines[i].asks()
		}
		for i := range s.edits.Added {
			l.last = max(l.last, s.edits.Added[i].Index)
		}
		s.lineup = l
	}
	return s.lineup
}

// lines are the servers of the configuration under the edits. Who appends to
// them gets a copy.
func (s *statements) lines() []Server { return slices.Clip(s.lined().lines) }

// write puts another configuration under other edits.
func (s *statements) write(file Config, e Edits) { s.file, s.edits, s.lineup = file, e, nil }

// edit lays other edits over the configuration. Those that only add to what was
// added before cost no more than what they add.
func (s *statements) edit(e Edits) {
	before, l := s.edits, s.lineup
	s.edits, s.lineup = e, nil
	if l == nil || !s.file.AllowEmpty || !before.extendedBy(&e) {
		return
	}
	next := *l
	if next.written == nil {
		next.written = lineIDs(s.file.Servers, s.file.Name)
	}
	for i := len(before.Added); i < len(e.Added); i++ {
		a := &e.Added[i]
		if a.Index < next.last || next.written[a.lineID(s.file.Name)] {
			return // it has a place before others
		}
		next.last = a.Index
		if a.Server.fits(s.file.Method) {
			next.lines, next.asks = append(next.lines, a.Server), next.asks || a.Server.asks()
		}
	}
	s.lineup = &next
}

// extendedBy reports whether o is e with more added behind what e adds, of which
// some must be and in order. Lists that lie in the same memory begin alike.
func (e *Edits) extendedBy(o *Edits) bool {
	n := len(e.Added)
	return n > 0 && len(o.Added) >= n && &e.Added[0] == &o.Added[0] && e.Seeded == o.Seeded &&
		reflect.DeepEqual(e.Changed, o.Changed) && maps.Equal(e.Removed, o.Removed)
}

// asks reports whether the server is a name to be asked for.
func (s *Server) asks() bool { return s.Question != Question{} }
