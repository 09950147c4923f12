package upstream

import (
	"cmp"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// Overlay is what has been agreed on at run time about the servers of all
// upstreams, over the lines of the configuration. What it says of upstreams and
// lines that are not there has no effect until they are.
type Overlay struct {
	// Index grows with every change of the overlay.
	Index     uint64
	Upstreams map[string]Edits
}

// Edits are the part of an Overlay that concerns one upstream. They are laid
// over a configuration that may differ from node to node, so each of them is
// about a server line by its id, never by its position. They do not change once
// they were laid over an upstream, but for what is appended to Added.
type Edits struct {
	// Seeded says that Added are all servers of an upstream whose lines are in
	// a state file: what the file says besides is out of date.
	Seeded bool
	// Added are servers that no configuration names. Whatever their order
	// here, that of their indexes counts, behind the lines of the file; to have
	// them in it is quicker. One with the id of a line takes the place of that line.
	Added []Addition
	// Changed are parameters of lines, by Server.LineID.
	Changed map[ServerID]Edit
	// Removed are lines that are left out.
	Removed map[ServerID]bool
	// Orders are the operator's, by the id of a peer or of a whole line.
	Orders map[ServerID]Order
}

// Addition is a server that was added at run time.
type Addition struct {
	Index  uint64 // when, in the order of all changes
	Server Server // with addresses or a Question
	// ID is the Server's LineID; zero: it is worked out where it is needed.
	ID ServerID
}

// lineID returns the id of the line in an upstream.
func (a *Addition) lineID(upstream string) ServerID {
	if a.ID != 0 {
		return a.ID
	}
	return a.Server.LineID(upstream)
}

// Edit is a change of parameters: those that are nil stay as written.
type Edit struct {
	Weight, MaxConns, MaxFails *int
	FailTimeout, SlowStart     *time.Duration
	Route                      *string
	Backup, Down, Drain        *bool
}

// LineID returns the id of the line as a whole in an upstream. A line that
// stands for one address that does not change has one peer, with the same id.
func (s *Server) LineID(upstream string) ServerID {
	switch {
	case s.Route != "":
		return NewServerID(upstream, s.Route)
	case s.Question.Service != "":
		return NewServerID(upstream, s.Name+" "+s.Question.Service)
	}
	return NewServerID(upstream, s.Name)
}

// sameServers reports whether e and o differ in nothing but orders.
func (e *Edits) sameServers(o *Edits) bool {
	return e.Seeded == o.Seeded && sameAdditions(e.Added, o.Added) && reflect.DeepEqual(e.Changed, o.Changed) && maps.Equal(e.Removed, o.Removed)
}

// sameAdditions reports whether two lists are equal. Mostly they are one, or of
// different length.
func sameAdditions(a, b []Addition) bool {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return true
	}
	return slices.EqualFunc(a, b, func(x, y Addition) bool { return x.Index == y.Index && x.Server.equal(&y.Server) })
}

// equal reports whether two servers are the same in every field.
func (s *Server) equal(o *Server) bool {
	return s.ID == o.ID && s.Name == o.Name && slices.Equal(s.Addrs, o.Addrs) && s.Question == o.Question && s.Port == o.Port && s.Line == o.Line &&
		s.Weight == o.Weight && s.MaxConns == o.MaxConns && s.MaxFails == o.MaxFails && s.FailTimeout == o.FailTimeout && s.SlowStart == o.SlowStart &&
		s.Backup == o.Backup && s.Down == o.Down && s.Drain == o.Drain && s.Route == o.Route
}

// apply changes what e says of s.
func (e *Edit) apply(s *Server) {
	set(&s.Weight, e.Weight)
	set(&s.MaxConns, e.MaxConns)
	set(&s.MaxFails, e.MaxFails)
	set(&s.FailTimeout, e.FailTimeout)
	set(&s.SlowStart, e.SlowStart)
	set(&s.Route, e.Route)
	set(&s.Backup, e.Backup)
	set(&s.Down, e.Down)
	set(&s.Drain, e.Drain)
}

func set[T any](at *T, v *T) {
	if v != nil {
		*at = *v
	}
}

// over lays the edits over the lines of a configuration. It has no side
// effects. An edit that the method, or sense, does not allow is left out: the
// configuration in which it was made may have been another one. An upstream
// that may not be empty is not edited at all.
func (e *Edits) over(cfg *Config) []Server {
	written := cfg.Servers
	switch {
	case !cfg.AllowEmpty:
		return written
	case cfg.FromState && e.Seeded:
		written = nil
	case len(e.Added) == 0 && len(e.Changed) == 0 && len(e.Removed) == 0:
		return written
	}
	added := e.Added
	if byIndex := func(a, b Addition) int { return cmp.Compare(a.Index, b.Index) }; !slices.IsSortedFunc(added, byIndex) {
		added = slices.SortedStableFunc(slices.Values(added), byIndex)
	}
	ids := lineIDs(written, cfg.Name)
	instead, placed := map[ServerID]int{}, map[int]bool{} // positions in added: for a line, and those that have its place
	for i := range added {
		if len(ids) > 0 && ids[added[i].lineID(cfg.Name)] {
			instead[added[i].lineID(cfg.Name)] = i
		}
	}
	lines := make([]Server, 0, len(written)+len(added))
	for _, line := range written {
		id := line.LineID(cfg.Name)
		if e.Removed[id] {
			continue
		}
		if i, ok := instead[id]; ok && !placed[i] {
			line = added[i].Server.orElse(line, cfg.Method)
			placed[i] = true
		}
		if edit, ok := e.Changed[id]; ok {
			changed := line
			edit.apply(&changed)
			line = changed.orElse(line, cfg.Method)
		}
		lines = append(lines, line)
	}
	for i := range added {
		if !placed[i] && added[i].Server.fits(cfg.Method) {
			lines = append(lines, added[i].Server)
		}
	}
	return lines
}

// lineIDs returns the ids of lines.
func lineIDs(lines []Server, upstream string) map[ServerID]bool {
	ids := make(map[ServerID]bool, len(lines))
	for i := range lines {
		ids[lines[i].LineID(upstream)] = true
	}
	return ids
}

// orElse returns s where it fits a method, else what it was to replace.
func (s Server) orElse(former Server, m Method) Server {
	if s.fits(m) {
		return s
	}
	return former
}

// fits reports whether the parameters make sense with a method.
func (s *Server) fits(m Method) bool {
	return s.Weight >= 1 && s.Weight <= math.MaxInt32 && s.MaxConns >= 0 && s.MaxFails >= 0 && s.FailTimeout >= 0 && s.SlowStart >= 0 &&
		(!s.Backup || m.AllowsBackup())
}
