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
	mu      sync.Mutex // guards rosters
	rosters map[string]*Roster
}

// Change is what a configuration wants an upstream to become.
type Change struct {
	roster  *Roster
	file    Config
	next    *Pool
	edition uint64 // of the statements next was made of

	answers map[Question]Answer // known before the change is made
}

// Find returns an upstream, nil if there is none of that name.
func (t *Table) Find(name string) *Roster {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rosters[name]
}

// Prepare builds what an upstream becomes by a configuration, on what the other
// writers have said, and changes nothing.
func (t *Table) Prepare(cfg Config) (*Change, error) {
	r := t.Find(cfg.Name)
	if r == nil {
		r = newRoster(cfg.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.said
	said.file = cfg
	next, err := said.build(r.current.Load())
	if err != nil {
		return nil, err
	}
	return &Change{roster: r, file: cfg, next: next, edition: r.edition}, nil
}

// Roster returns the upstream that is to be changed.
func (c *Change) Roster() *Roster { return c.roster }

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
	var failed error
	stay := map[string]*Roster{}
	for _, c := range changes {
		failed = errors.Join(failed, c.make())
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
func (c *Change) make() error {
	r := c.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said.file = c.file
	maps.Copy(r.said.answers, c.answers)
	maps.DeleteFunc(r.said.answers, func(q Question, _ Answer) bool { return !r.said.asks(q) })
	next, err := c.next, error(nil)
	if r.edition != c.edition || len(c.answers) > 0 {
		if next, err = r.said.build(r.current.Load()); err != nil {
			next = c.next
		}
	}
	next.judge(r.said.opinion)
	r.swap(next)
	return err
}
