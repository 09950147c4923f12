package upstream

import (
	"errors"
	"maps"
	"sync"
)

// Table holds the upstreams that serve, by name. What is said about one is
// kept from one configuration to the next as long as both name it. Its methods
// may be called by many goroutines.
type Table struct {
	// Now is the clock of PickArgs.Now, by which servers start slowly; nil: time
	// stands still. It is set before the first use.
	Now func() int64

	writing sync.Mutex // held by who changes several upstreams together

	mu      sync.Mutex // guards what follows
	rosters map[string]*Roster
	overlay Overlay
}

// Change is what a configuration wants an upstream to become.
type Change struct {
	roster  *Roster
	file    Config
	edits   Edits
	next    *Pool
	edition uint64 // of the statements next was made of
	overlay uint64 // index of the overlay, likewise

	answers map[Question]Answer // known before the change is made
}

// Find returns an upstream, nil if there is none of that name.
func (t *Table) Find(name string) *Roster {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rosters[name]
}

// edits returns the overlay in force.
func (t *Table) edits() Overlay {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.overlay
}

// SetOverlay lays what has been agreed on at run time over all upstreams. It is
// kept for those that a later configuration brings. One that is older than what
// is in force changes nothing.
func (t *Table) SetOverlay(o Overlay) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	if o.Index < t.overlay.Index {
		t.mu.Unlock()
		return nil
	}
	t.overlay = o
	rosters := t.rosters
	t.mu.Unlock()
	var failed error
	for name, r := range rosters {
		failed = errors.Join(failed, r.setEdits(o.Upstreams[name]))
	}
	return failed
}

// Prepare builds what an upstream becomes by a configuration, on what the other
// writers have said, and changes nothing.
func (t *Table) Prepare(cfg Config) (*Change, error) {
	r := t.Find(cfg.Name)
	if r == nil {
		r = newRoster(cfg.Name, t.Now)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	overlay := t.edits()
	said := r.said
	said.write(cfg, overlay.Upstreams[cfg.Name])
	next, err := said.build(r.current.Load())
	if err != nil {
		return nil, err
	}
	return &Change{roster: r, file: cfg, edits: said.edits, next: next, edition: r.edition, overlay: overlay.Index}, nil
}

// Roster returns the upstream that is to be changed.
func (c *Change) Roster() *Roster { return c.roster }

// Questions returns what name servers are to be asked once the change is made.
func (c *Change) Questions() []Question {
	said := statements{file: c.file, edits: c.edits}
	return said.questions()
}

// Answered reports whether the upstream knows an answer to a question, though
// it may be that there is nothing.
func (c *Change) Answered(q Question) bool {
	c.roster.mu.Lock()
	defer c.roster.mu.Unlock()
	_, known := c.roster.said.answers[q]
	return known
}

// SetAnswer lets the upstream begin with an answer. It is called before Commit,
// by one goroutine at a time.
func (c *Change) SetAnswer(q Question, a Answer) {
	if c.answers == nil {
		c.answers = map[Question]Answer{}
	}
	c.answers[q] = a
}

// Commit makes the changes, and retires the upstreams that are not among them.
// All changes are made even where one reports an error: its upstream is then
// what Prepare found. Commit is not called by two goroutines at a time.
func (t *Table) Commit(changes []*Change) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	overlay := t.edits()
	var failed error
	stay := map[string]*Roster{}
	for _, c := range changes {
		failed = errors.Join(failed, c.make(overlay))
		stay[c.roster.name] = c.roster
	}
	t.mu.Lock()
	before := t.rosters
	t.rosters = stay
	t.mu.Unlock()
	for name, r := range before {
		if stay[name] == nil {
			r.Pool().Retire()
		}
	}
	return failed
}

// make puts the change in force. What was said since it was prepared counts.
func (c *Change) make(overlay Overlay) error {
	r := c.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said.write(c.file, overlay.Upstreams[c.file.Name])
	maps.Copy(r.said.answers, c.answers)
	r.said.forget()
	next, err := c.next, error(nil)
	if r.edition != c.edition || overlay.Index != c.overlay || len(c.answers) > 0 {
		if next, err = r.said.build(r.current.Load()); err != nil {
			next = c.next
		}
	}
	next.judge(r.said.opinion)
	r.swap(next)
	return err
}
