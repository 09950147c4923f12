package consensus

import (
	"fmt"
	"strings"
)

// LevelError says that a change was not proposed, since some nodes run programs
// that cannot read it: they would have to stop following the log. It may be tried
// again when they are upgraded.
type LevelError struct {
	Level uint16   `json:"level"` // of the change
	Older []string `json:"older"` // the names of these nodes
}

// Error names the nodes.
func (e *LevelError) Error() string {
	return fmt.Sprintf("a change of level %d is not understood yet by %s; nothing was changed, try again when all nodes run the newer version", e.Level, strings.Join(e.Older, ", "))
}

// Level returns the level of commands that is agreed on: the newest that all
// nodes understand, without those that were removed; the first while there are
// none.
func (s *State) Level() uint16 {
	level := uint16(0)
	for _, n := range s.nodes.All() {
		if own := max(n.Level, levelFirst); !n.Removed && (level == 0 || own < level) {
			level = own
		}
	}
	return max(level, levelFirst)
}

// Older returns the nodes that understand less than another one of the table.
func (s *State) Older() (list []NodeID) {
	newest := uint16(0)
	for _, n := range s.nodes.All() {
		if !n.Removed {
			newest = max(newest, n.Level)
		}
	}
	for id, n := range s.nodes.All() {
		if !n.Removed && n.Level < newest {
			list = append(list, id)
		}
	}
	return list
}

// understands returns a *LevelError if some of the nodes, or of the servers of
// the log that have not told yet what they understand, are below a level.
func (s *State) understands(level uint16, servers []server) error {
	e := &LevelError{Level: level}
	if level > s.Level() {
		for _, n := range s.nodes.All() {
			if !n.Removed && n.Level < level {
				e.Older = append(e.Older, n.Name)
			}
		}
	}
	for _, at := range servers {
		if _, told := s.nodes.Get(at.id); !told && level > levelFirst {
			e.Older = append(e.Older, string(at.id))
		}
	}
	if e.Older == nil {
		return nil
	}
	return e
}

// timely is State.understands of a command, as far as this node knows; who leads
// looks again.
func (c *Consensus) timely(cmd Command) error {
	level, err := c.o.kinds.level(cmd.Change)
	if err != nil || cmd.Skippable || c.o.Stream == nil {
		return err
	}
	return c.State().understands(level, nil)
}

// understood is State.understands of a leader, which has to know all that was
// agreed on before it. A node that is alone is the only one to understand.
func (i *instance) understood(level uint16) error {
	switch {
	case i.o.Stream == nil || level <= levelFirst:
		return nil
	case i.ready.Load() != i.raft.CurrentTerm():
		return errNoLeader
	}
	return i.machine.state().understands(level, i.servers())
}

// timely reports whether all nodes understand a change of the leader itself. Others
// wait until they do.
func (i *instance) timely(c Change) bool {
	level, err := i.o.kinds.level(c)
	return err == nil && i.understood(level) == nil
}

// admit looks at an entry before it comes into the log. Its errors are those of
// understood, and that it is damaged.
func (i *instance) admit(entry []byte) error {
	h, _, err := open(entry)
	if err != nil || h.flags&flagSkippable != 0 {
		return err
	}
	return i.understood(h.level)
}
