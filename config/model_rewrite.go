package config

// Instruction is one step of a server's or location's rewrite phase:
// *Set, *Rewrite, *Return, *Break or *If.
type Instruction interface {
	// Place gives the position of the directive.
	Place() Pos
}

// Set is a set directive.
type Set struct {
	Pos   Pos
	Name  string // variable, without $
	Value Text
}

// RewriteFlag is the last argument of rewrite.
type RewriteFlag uint8

// Flags of rewrite.
const (
	RewriteNext      RewriteFlag = iota // none: go on with the next instruction
	RewriteLast                         // search for a location again
	RewriteBreak                        // end the rewrite phase here
	RewriteRedirect                     // answer 302
	RewritePermanent                    // answer 301
)

// Rewrite is a rewrite directive. A replacement that begins with http://,
// https:// or $scheme redirects (302) even without a flag; Flag says so already.
type Rewrite struct {
	Pos         Pos
	Regex       Regex
	Replacement Text // without the final question mark
	DropArgs    bool // a final question mark was written: do not append the arguments
	Flag        RewriteFlag
	External    bool // Replacement is a whole URL: it goes into Location as it is
}

// Return is a return directive.
type Return struct {
	Pos  Pos
	Code int  // 302 if only a URL was written
	Text Text // URL or body; zero Text if none
}

// Break is a break directive.
type Break struct{ Pos Pos }

// If is an if block.
type If struct {
	Pos       Pos
	Condition Condition
	// Body is a nameless location: its settings, instructions and content take
	// over if the condition holds. Its Proxy is the enclosing location's unless
	// it has one of its own.
	Body *Location
}

// Test is the kind of a condition.
type Test uint8

// Tests of an if condition.
const (
	TestTrue   Test = iota // variable is neither empty nor "0"
	TestEqual              // variable equals Value
	TestRegex              // variable matches Regex
	TestFile               // -f: Value names a file
	TestDir                // -d: Value names a directory
	TestExists             // -e: Value names a file, directory or symbolic link
	TestExec               // -x: Value names an executable
)

// Condition is what stands in the parentheses of an if.
type Condition struct {
	Test     Test
	Negate   bool
	Variable Text  // "$name", for TestTrue, TestEqual and TestRegex
	Value    Text  // for TestEqual and the file tests
	Regex    Regex // for TestRegex
}

// Place gives the position of the directive.
func (s *Set) Place() Pos { return s.Pos }

// Place gives the position of the directive.
func (r *Rewrite) Place() Pos { return r.Pos }

// Place gives the position of the directive.
func (r *Return) Place() Pos { return r.Pos }

// Place gives the position of the directive.
func (b *Break) Place() Pos { return b.Pos }

// Place gives the position of the directive.
func (i *If) Place() Pos { return i.Pos }
