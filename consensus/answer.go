package consensus

import (
	"cmp"
	"net/netip"
	"slices"
)

// Question is what is asked about a name on behalf of an upstream. Each
// upstream has its own, since each may ask its own name servers.
type Question struct {
	Upstream string `json:"upstream"`
	Host     string `json:"host"`
	Service  string `json:"service,omitempty"` // of SRV records; empty: addresses are asked for
}

func (q *Question) key() string { return q.Upstream + "\x00" + q.Host + "\x00" + q.Service }

// Record is an SRV record with the addresses of its target. The addresses of
// a name that was asked for without a service are one Record, whose other
// fields are zero.
type Record struct {
	Target   string       `json:"target,omitempty"`
	Port     uint16       `json:"port,omitempty"`
	Priority uint16       `json:"priority,omitempty"`
	Weight   uint16       `json:"weight,omitempty"`
	Addrs    []netip.Addr `json:"addrs,omitempty"`
}

// Answer is the agreed one to a question: complete, and sorted.
type Answer struct {
	Question
	Modified uint64   `json:"modified"`
	Resolver NodeID   `json:"resolver,omitempty"` // who asked
	Records  []Record `json:"records,omitempty"`
}

// Answers calls f with every agreed answer, in an order that is the same on
// every node.
func (s *State) Answers(f func(Answer)) {
	for _, a := range s.answers.All() {
		f(*a)
	}
}

// Answer returns the agreed answer to a question.
func (s *State) Answer(q Question) (Answer, bool) { return s.answers.Get(q.key()) }

// PutAnswer replaces the whole answer to a question. In whatever order the
// records came, they are put in one; an answer that says nothing new changes
// nothing.
type PutAnswer struct {
	Question
	Resolver  NodeID   `json:"resolver,omitempty"`
	Confirmed NodeID   `json:"confirmed,omitempty"` // another node that was told the same
	Records   []Record `json:"records,omitempty"`
}

func (p *PutAnswer) apply(d *draft) *refusal {
	if p.Upstream == "" || p.Host == "" {
		return refuse(Invalid, "a question has an upstream and a name")
	}
	records := inOrder(p.Records)
	old, known := d.answers.Get(p.key())
	switch {
	case known && slices.EqualFunc(old.Records, records, Record.equal):
		return nil
	case d.Doubtful(p) && !p.confirmed(d):
		return refuse(Unconfirmed, "the answer for %q removes more than half of the servers", p.Host)
	}
	d.answers = d.answers.with(p.key(), Answer{Question: p.Question, Modified: d.index, Resolver: p.Resolver, Records: records})
	return nil
}

// Doubtful reports whether an answer takes away so much that it is refused unless
// another node was told the same.
func (s *State) Doubtful(p *PutAnswer) bool {
	old, known := s.answers.Get(p.key())
	return known && s.present() > 1 && massLoss(old.Records, inOrder(p.Records))
}

// confirmed reports whether another node of the cluster was told the same.
func (p *PutAnswer) confirmed(d *draft) bool {
	n, ok := d.nodes.Get(p.Confirmed)
	return ok && !n.Removed && p.Confirmed != p.Resolver
}

// DropAnswer forgets an answer that nobody asks for any more.
type DropAnswer struct {
	Question
}

func (p *DropAnswer) apply(d *draft) *refusal {
	d.answers = d.answers.without(p.key())
	return nil
}

func (r Record) equal(o Record) bool {
	return r.Target == o.Target && r.Port == o.Port && r.Priority == o.Priority && r.Weight == o.Weight && slices.Equal(r.Addrs, o.Addrs)
}

// inOrder returns records and their addresses sorted, each once. SRV records
// of one priority stand beside each other.
func inOrder(records []Record) []Record {
	var out []Record
	for _, r := range records {
		addrs := slices.Clone(r.Addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		if r.Addrs = slices.Compact(addrs); len(addrs) == 0 {
			r.Addrs = nil
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Weight, b.Weight), slices.CompareFunc(a.Addrs, b.Addrs, netip.Addr.Compare))
	})
	return slices.CompactFunc(out, Record.equal)
}

// massLoss reports whether more than half of the servers, and at least three,
// are not in the new answer.
func massLoss(before, after []Record) bool {
	type place struct {
		target string
		addr   netip.AddrPort
	}
	still := map[place]bool{}
	each := func(records []Record, f func(place)) {
		for _, r := range records {
			for _, a := range r.Addrs {
				f(place{r.Target, netip.AddrPortFrom(a, r.Port)})
			}
		}
	}
	each(after, func(p place) { still[p] = true })
	all, gone := 0, 0
	each(before, func(p place) {
		if all++; !still[p] {
			gone++
		}
	})
	return gone >= 3 && 2*gone > all
}
