package route

import (
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
	"sync"
)

// MaxRedirects is how often rewriting and internal redirects together may send
// a request to another location; the next one is answered 500.
const MaxRedirects = 10

// Action is what a script leaves to be done.
type Action uint8

// The actions.
const (
	Continue Action = iota // the request stays in its location
	Relocate               // the path was changed: find the location anew
	Respond                // answer with the outcome's status
)

// Outcome is the result of a script.
type Outcome struct {
	Action Action
	// Branch is the last `if` whose condition held, an index into Branches;
	// its settings and content replace those of the location. -1: none did.
	Branch int
	// Status is what Respond answers with; 444 closes the connection.
	Status int
	// Location is where a redirect leads, nil unless it is one. One that
	// begins with a slash is still to be made absolute.
	Location []byte
	// Body is the text of `return CODE TEXT`; nil: none was written, so that a
	// status of 400 and above is answered by `error_page` or weir's own page.
	Body []byte
}

// Script is the compiled rewrite phase of a server or location: set, if,
// rewrite, return and break in the order of the file.
type Script struct {
	steps    []step
	branches []*config.If
}

// step is one instruction. It returns the number of the next one.
type step interface {
	run(r *request.Request, o *Outcome, self int) (next int)
}

// end is the number of the step that is none.
const end = int(^uint(0) >> 1)

// CompileScript compiles a list of instructions. Variables that `set` assigns
// are added to the table; those that are used must be in it.
func CompileScript(t *variable.Table, list []config.Instruction) (*Script, error) {
	s := &Script{}
	if err := s.compile(t, list); err != nil {
		return nil, err
	}
	return s, nil
}

// Branches are the `if` blocks in the order in which Outcome counts them.
func (s *Script) Branches() []*config.If { return s.branches }

func (s *Script) compile(t *variable.Table, list []config.Instruction) error {
	for _, in := range list {
		if block, ok := in.(*config.If); ok {
			if err := s.compileIf(t, block); err != nil {
				return err
			}
			continue
		}
		st, err := compileStep(t, in)
		if err != nil {
			return err
		}
		s.steps = append(s.steps, st)
	}
	return nil
}

func compileStep(t *variable.Table, in config.Instruction) (step, error) {
	switch in := in.(type) {
	case *config.Set:
		return compileSet(t, in)
	case *config.Rewrite:
		return compileRewrite(t, in)
	case *config.Return:
		return compileReturn(t, in)
	}
	return breakStep{}, nil
}

// compileIf puts the block's own instructions behind its test.
func (s *Script) compileIf(t *variable.Table, block *config.If) error {
	test, err := compileCondition(t, &block.Condition)
	if err != nil {
		return err
	}
	st := &ifStep{condition: test, branch: len(s.branches)}
	s.branches = append(s.branches, block)
	s.steps = append(s.steps, st)
	if block.Body != nil {
		if err := s.compile(t, block.Body.Rewrite); err != nil {
			return err
		}
	}
	st.otherwise = len(s.steps)
	return nil
}

// Run executes the script. Path, Args and assigned variables of the request
// change; nothing is answered yet. A nil Script changes nothing.
func (s *Script) Run(r *request.Request) Outcome {
	if s == nil {
		return Outcome{Branch: -1}
	}
	o := outcomes.Get().(*Outcome)
	*o = Outcome{Branch: -1}
	for at := 0; at < len(s.steps); {
		at = s.steps[at].run(r, o, at)
	}
	result := *o
	outcomes.Put(o)
	return result
}

// outcomes are lent to the steps, which are called through an interface, so
// that a run allocates nothing.
var outcomes = sync.Pool{New: func() any { return new(Outcome) }}

// breakStep is `break`: what was rewritten stays in this location.
type breakStep struct{}

func (breakStep) run(r *request.Request, o *Outcome, _ int) int {
	r.Moved = r.Moved || o.Action == Relocate
	o.Action = Continue
	return end
}

// setStep is `set`.
type setStep struct {
	set   variable.Setter
	value *variable.Text
}

func compileSet(t *variable.Table, in *config.Set) (step, error) {
	v, err := t.AddAssigned(in.Name)
	if err != nil {
		return nil, in.Pos.Errorf("%v", err)
	}
	value, err := variable.CompileConfig(t, in.Value)
	if err != nil {
		return nil, err
	}
	return &setStep{v.Set, value}, nil
}

func (s *setStep) run(r *request.Request, _ *Outcome, self int) int {
	s.set(r, s.value.Value(r))
	return self + 1
}

// ifStep is the head of an `if` block.
type ifStep struct {
	condition condition
	branch    int
	otherwise int // the step behind the block
}

func (s *ifStep) run(r *request.Request, o *Outcome, self int) int {
	if !s.condition.holds(r) {
		return s.otherwise
	}
	o.Branch = s.branch
	return self + 1
}

// returnStep is `return`.
type returnStep struct{ fixed *Fixed }

func compileReturn(t *variable.Table, in *config.Return) (step, error) {
	fixed, err := CompileReturn(t, in)
	if err != nil {
		return nil, err
	}
	return &returnStep{fixed}, nil
}

func (s *returnStep) run(r *request.Request, o *Outcome, _ int) int {
	o.Action = Respond
	o.Status, o.Location, o.Body = s.fixed.Answer(r)
	return end
}
