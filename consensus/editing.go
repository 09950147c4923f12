package consensus

// Target names a server in the commands about one.
type Target struct {
	Upstream string   `json:"upstream"`
	ID       ServerID `json:"id"`
	// Written says that the configuration of the node that proposes has a line
	// with this id. Only then may what was not added be edited or removed.
	Written bool `json:"written,omitempty"`
	// IfModified, unless 0, is Edits.ModifiedAt as the caller has read it; the
	// command is refused if the server has changed since.
	IfModified uint64 `json:"if_modified,omitempty"`
}

// open returns a copy of the edits that t is about, unless the command comes
// too late.
func (t *Target) open(d *draft) (Edits, *refusal) {
	e, _ := d.upstreams.Get(t.Upstream)
	switch at := e.ModifiedAt(t.ID); {
	case t.Upstream == "" || t.ID == 0:
		return e, refuse(Invalid, "a server is named by its upstream and its id")
	case t.IfModified != 0 && t.IfModified != at:
		return e, refuse(Conflict, "the server was changed at %d, not at %d", at, t.IfModified)
	}
	return e, nil
}

// close puts edits in the place of those before.
func (t *Target) close(d *draft, e Edits) {
	e.Modified = d.index
	if e.empty() {
		d.upstreams = d.upstreams.without(t.Upstream)
		return
	}
	d.upstreams = d.upstreams.with(t.Upstream, e)
}

// known reports whether there is such a server to speak of.
func (t *Target) known(e *Edits) bool {
	_, added := e.Added.Get(t.ID)
	_, changed := e.Changed.Get(t.ID)
	_, removed := e.Removed.Get(t.ID)
	return t.Written && !removed || added || changed && !removed
}

// AddServer adds a server, or gives one that was added before its parameters
// anew: it then keeps its place.
type AddServer struct {
	Target
	Server Server `json:"server"`
}

func (a *AddServer) apply(d *draft) *refusal {
	e, r := a.open(d)
	if r == nil {
		r = a.Server.flaw()
	}
	if r != nil {
		return r
	}
	n := Addition{Created: max(d.index, e.Last+1), Modified: d.index, Server: a.Server} // those of one batch have the same index
	if old, ok := e.Added.Get(a.ID); ok {
		switch {
		case old.Server == a.Server:
			return nil
		case old.Server.Name != a.Server.Name || old.Server.Service != a.Server.Service:
			return refuse(Exists, "server %q has the id of %q", a.Server.Name, old.Server.Name)
		}
		n.Created = old.Created
	}
	e.Last = max(e.Last, n.Created)
	e.Added = e.Added.with(a.ID, n)
	e.Removed = e.Removed.without(a.ID)
	e.Changed = e.Changed.without(a.ID) // the addition says all there is to say
	a.close(d, e)
	return nil
}

// EditServer changes parameters of a server.
type EditServer struct {
	Target
	Edit Edit `json:"edit"`
	// NewID is that of an added server whose route changes, if the id does by that.
	NewID ServerID `json:"new_id,omitempty"`
}

func (c *EditServer) apply(d *draft) *refusal {
	e, r := c.open(d)
	if r != nil {
		return r
	}
	added, ok := e.Added.Get(c.ID)
	switch {
	case ok:
		return c.added(d, e, added)
	case !c.known(&e):
		return refuse(Missing, "upstream %q has no such server", c.Upstream)
	}
	old, _ := e.Changed.Get(c.ID)
	sum := old.Edit.over(&c.Edit)
	whole := (Server{Name: "line", Weight: 1}).edited(&sum)
	if r := whole.flaw(); r != nil {
		return r
	}
	e.Changed = e.Changed.with(c.ID, Changed{Modified: d.index, Edit: sum})
	c.close(d, e)
	return nil
}

func (c *EditServer) added(d *draft, e Edits, a Addition) *refusal {
	id := c.ID
	if c.NewID != 0 && c.NewID != id {
		if e.ModifiedAt(c.NewID) != 0 {
			return refuse(Exists, "upstream %q has a server with this route", c.Upstream)
		}
		id = c.NewID
	}
	a.Server, a.Modified = a.Server.edited(&c.Edit), d.index
	if r := a.Server.flaw(); r != nil {
		return r
	}
	e.Added = e.Added.without(c.ID).with(id, a)
	if o, ok := e.Orders.Get(c.ID); ok {
		e.Orders = e.Orders.without(c.ID).with(id, o)
	}
	c.close(d, e)
	return nil
}

// RemoveServer takes a server out, whether it was added or written, and all
// that was said of it.
type RemoveServer struct {
	Target
}

func (c *RemoveServer) apply(d *draft) *refusal {
	e, r := c.open(d)
	if r != nil {
		return r
	}
	if !c.known(&e) {
		return refuse(Missing, "upstream %q has no such server", c.Upstream)
	}
	_, added := e.Added.Get(c.ID)
	e.Added, e.Changed, e.Orders = e.Added.without(c.ID), e.Changed.without(c.ID), e.Orders.without(c.ID)
	if c.Written || !added {
		e.Removed = e.Removed.with(c.ID, Removal{Modified: d.index, Who: d.actor})
	}
	c.close(d, e)
	return nil
}

// RestoreServer takes back the removal and the edits of a line: it is again as
// its configuration has it.
type RestoreServer struct {
	Target
}

func (c *RestoreServer) apply(d *draft) *refusal {
	e, r := c.open(d)
	if r != nil {
		return r
	}
	e.Changed, e.Removed = e.Changed.without(c.ID), e.Removed.without(c.ID)
	c.close(d, e)
	return nil
}

// GiveOrder gives an operator's order about a server line or one of its peers,
// or takes it back. Those who give it, and why, are remembered with it.
type GiveOrder struct {
	Target
	Kind OrderKind `json:"kind"`
	Why  string    `json:"why,omitempty"`
}

func (c *GiveOrder) apply(d *draft) *refusal {
	e, r := c.open(d)
	if r != nil {
		return r
	}
	switch c.Kind {
	case OrderNone:
		e.Orders = e.Orders.without(c.ID)
	case OrderUp, OrderDrain, OrderDown:
		// No look whether the server is there: peers come and go with what name
		// servers say, and an order waits for them.
		e.Orders = e.Orders.with(c.ID, Order{Kind: c.Kind, Who: d.actor, Why: c.Why, Since: d.now, Modified: d.index})
	default:
		return refuse(Invalid, "no order %q", c.Kind)
	}
	c.close(d, e)
	return nil
}
