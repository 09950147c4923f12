package consensus

// MarkSeeded says that the servers in the state file of an upstream have been
// taken over, and that the log alone is to tell from now on who they are. A node
// that comes later with an older file then has nothing to say.
type MarkSeeded struct {
	Upstream string `json:"upstream"`
	// Once refuses it, and the batch it stands in, where it was said before: of
	// nodes with different files one is the first.
	Once bool `json:"once,omitempty"`
}

func (m *MarkSeeded) apply(d *draft) *refusal {
	e, _ := d.upstreams.Get(m.Upstream)
	switch {
	case m.Upstream == "":
		return refuse(Invalid, "an upstream has a name")
	case e.Seeded && m.Once:
		return refuse(Exists, "the servers of upstream %q have been taken over already", m.Upstream)
	case e.Seeded:
		return nil
	}
	e.Seeded, e.Modified = true, d.index
	d.upstreams = d.upstreams.with(m.Upstream, e)
	return nil
}
