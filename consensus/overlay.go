package consensus

import (
	"math"
	"time"
)

// ServerID is the stable identity of a server line, as the balancer computes
// it from the upstream's name and the server as written.
type ServerID uint64

// Edits are what has been agreed on about one upstream.
type Edits struct {
	Modified uint64 // index of the last change
	Last     uint64 // the latest place that was given to a server, see Addition.Created
	Seeded   bool   // the servers of its state file are among Added
	Added    table[ServerID, Addition]
	Changed  table[ServerID, Changed]
	Removed  table[ServerID, Removal]
	Orders   table[ServerID, Order]
}

// Server is one that was added, with its parameters in full.
type Server struct {
	Name        string        `json:"name"`              // as a server line would have it, without parameters
	Service     string        `json:"service,omitempty"` // of SRV records
	Resolve     bool          `json:"resolve,omitempty"` // the name is followed while weir runs
	Weight      int           `json:"weight"`
	MaxConns    int           `json:"max_conns,omitempty"`
	MaxFails    int           `json:"max_fails"`
	FailTimeout time.Duration `json:"fail_timeout"`
	SlowStart   time.Duration `json:"slow_start,omitempty"`
	Route       string        `json:"route,omitempty"`
	Backup      bool          `json:"backup,omitempty"`
	Down        bool          `json:"down,omitempty"`
	Drain       bool          `json:"drain,omitempty"`
}

// Addition is a server that no configuration names.
type Addition struct {
	Created  uint64 `json:"created"` // its place among the others
	Modified uint64 `json:"modified"`
	Server   Server `json:"server"`
}

// Edit is a change of parameters: those that are nil stay as they are.
type Edit struct {
	Weight      *int           `json:"weight,omitempty"`
	MaxConns    *int           `json:"max_conns,omitempty"`
	MaxFails    *int           `json:"max_fails,omitempty"`
	FailTimeout *time.Duration `json:"fail_timeout,omitempty"`
	SlowStart   *time.Duration `json:"slow_start,omitempty"`
	Route       *string        `json:"route,omitempty"`
	Backup      *bool          `json:"backup,omitempty"`
	Down        *bool          `json:"down,omitempty"`
	Drain       *bool          `json:"drain,omitempty"`
}

// Changed is the sum of the edits of a line in the configuration.
type Changed struct {
	Modified uint64 `json:"modified"`
	Edit     Edit   `json:"edit"`
}

// Removal takes a line of the configuration out.
type Removal struct {
	Modified uint64 `json:"modified"`
	Who      string `json:"who,omitempty"`
}

// OrderKind is what an operator orders a server to be.
type OrderKind string

// The orders. OrderNone takes an order back.
const (
	OrderNone  OrderKind = ""
	OrderUp    OrderKind = "up"
	OrderDrain OrderKind = "drain"
	OrderDown  OrderKind = "down"
)

// Order is an operator's.
type Order struct {
	Kind     OrderKind `json:"kind"`
	Who      string    `json:"who,omitempty"`
	Why      string    `json:"why,omitempty"`
	Since    int64     `json:"since"` // the log's time, Unix milliseconds
	Modified uint64    `json:"modified"`
}

// Upstreams calls f with what has been agreed on about each upstream, in the
// order of their names.
func (s *State) Upstreams(f func(name string, e Edits)) {
	for name, e := range s.upstreams.All() {
		f(name, *e)
	}
}

// Upstream returns what has been agreed on about one upstream.
func (s *State) Upstream(name string) (Edits, bool) { return s.upstreams.Get(name) }

// Each calls f with every entry, sorted by key.
func (t table[K, V]) Each(f func(key K, value V)) {
	for key, value := range t.All() {
		f(key, *value)
	}
}

// ModifiedAt is the index of the last change of a server, 0 if there was none.
func (e *Edits) ModifiedAt(id ServerID) uint64 {
	a, _ := e.Added.Get(id)
	c, _ := e.Changed.Get(id)
	r, _ := e.Removed.Get(id)
	o, _ := e.Orders.Get(id)
	return max(a.Modified, c.Modified, r.Modified, o.Modified)
}

func (e *Edits) empty() bool {
	return !e.Seeded && e.Added.empty() && e.Changed.empty() && e.Removed.empty() && e.Orders.empty()
}

// over returns the edits that do both: first e, then n.
func (e Edit) over(n *Edit) Edit {
	choose(&e.Weight, n.Weight)
	choose(&e.MaxConns, n.MaxConns)
	choose(&e.MaxFails, n.MaxFails)
	choose(&e.FailTimeout, n.FailTimeout)
	choose(&e.SlowStart, n.SlowStart)
	choose(&e.Route, n.Route)
	choose(&e.Backup, n.Backup)
	choose(&e.Down, n.Down)
	choose(&e.Drain, n.Drain)
	return e
}

func choose[T any](at **T, v *T) {
	if v != nil {
		*at = v
	}
}

// edited returns the server as an edit makes it.
func (s Server) edited(e *Edit) Server {
	assign(&s.Weight, e.Weight)
	assign(&s.MaxConns, e.MaxConns)
	assign(&s.MaxFails, e.MaxFails)
	assign(&s.FailTimeout, e.FailTimeout)
	assign(&s.SlowStart, e.SlowStart)
	assign(&s.Route, e.Route)
	assign(&s.Backup, e.Backup)
	assign(&s.Down, e.Down)
	assign(&s.Drain, e.Drain)
	return s
}

func assign[T any](at *T, v *T) {
	if v != nil {
		*at = *v
	}
}

// flaw tells what is wrong with a server in any upstream, or nothing.
func (s *Server) flaw() *refusal {
	switch {
	case s.Name == "":
		return refuse(Invalid, "a server has a name")
	case s.Weight < 1 || s.Weight > math.MaxInt32:
		return refuse(Invalid, "server %q: invalid weight %d", s.Name, s.Weight)
	case s.MaxConns < 0 || s.MaxFails < 0 || s.FailTimeout < 0 || s.SlowStart < 0:
		return refuse(Invalid, "server %q: negative limit", s.Name)
	}
	return nil
}
