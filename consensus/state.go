package consensus

import "time"

// State is all that has been agreed on up to one index of the log. It never
// changes, so it may be shared by any number of goroutines. The zero State is
// that of an empty log. What its methods return is shared with it: read only.
type State struct {
	index     uint64
	now       int64 // the log's time, Unix milliseconds; never goes back
	cluster   Cluster
	upstreams table[string, Edits]
	answers   table[string, Answer] // by Question.key
	rings     [ringCount]Ring
	nodes     table[NodeID, Node]
	results   results // of the last requests
}

// Cluster tells one cluster from others.
type Cluster struct {
	Name string `json:"name,omitempty"`
	ID   string `json:"id,omitempty"` // 32 hexadecimal digits; empty: none was formed
	// Epoch grows when a quorum that was lost for good is made anew by force.
	Epoch uint32 `json:"epoch,omitempty"`
}

// Index is that of the last command that was applied.
func (s *State) Index() uint64 { return s.index }

// Now is the time of the log: the latest that a leader gave a command.
func (s *State) Now() time.Time { return time.UnixMilli(s.now) }

// Cluster tells which cluster the state is of.
func (s *State) Cluster() Cluster { return s.cluster }

// Apply returns the state after a command, which stands in the log at index and
// was given the time at by its leader, and what came of it. A command that is
// refused changes no more than index and time. One whose request id has been
// seen lately is not applied again, but answered as it was then.
func (s *State) Apply(c Command, index uint64, at time.Time) (*State, Result) {
	if index <= s.index {
		return s, Result{Index: s.index, Code: Invalid, Reason: "the log has gone past this index"}
	}
	d := draft{State: *s, actor: c.Actor}
	d.index = index
	d.now = max(s.now, at.UnixMilli())
	d.forget()
	unchanged := d.State
	if old, ok := s.Result(c.Request); ok {
		return &unchanged, old
	}
	result := Result{Index: index}
	if c.Change != nil { // nil: of a newer version, and may be skipped
		if r := c.Change.apply(&d); r != nil {
			d.State = unchanged
			result.Code, result.Reason = r.code, r.reason
		}
	}
	d.remember(c.Request, result)
	next := d.State
	return &next, result
}

// draft is the next state in the making.
type draft struct {
	State
	actor string
}

// Form gives a cluster its identity. It is the first command of its log.
type Form struct {
	Name string `json:"name"`
	ID   string `json:"id"` // 32 hexadecimal digits
}

func (f *Form) apply(d *draft) *refusal {
	switch {
	case !isID(f.ID) || f.Name == "":
		return refuse(Invalid, "a cluster has a name and an id of 32 hexadecimal digits")
	case d.cluster.ID == f.ID && d.cluster.Name == f.Name:
		return nil
	case d.cluster.ID != "":
		return refuse(Exists, "this is cluster %s already", d.cluster.ID)
	}
	d.cluster.Name, d.cluster.ID = f.Name, f.ID
	return nil
}

// RaiseEpoch says that a quorum was made anew by force, so that nodes which
// missed it are known by their epoch.
type RaiseEpoch struct {
	To uint32 `json:"to"`
}

func (r *RaiseEpoch) apply(d *draft) *refusal {
	if r.To <= d.cluster.Epoch {
		return refuse(Conflict, "the epoch is %d already", d.cluster.Epoch)
	}
	d.cluster.Epoch = r.To
	return nil
}

// Batch is several changes, of which all are made or none.
type Batch []Change

func (b *Batch) apply(d *draft) *refusal {
	for i, c := range *b {
		if r := c.apply(d); r != nil {
			return refuse(r.code, "change %d of %d: %s", i+1, len(*b), r.reason)
		}
	}
	return nil
}

// isID tells whether text is 16 bytes in hexadecimal.
func isID(text string) bool {
	if len(text) != 32 {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
