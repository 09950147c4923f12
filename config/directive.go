package config

import "slices"

// Context is a set of kinds of blocks.
type Context uint32

// Kinds of blocks.
const (
	InMain Context = 1 << iota
	InEvents
	InHTTP
	InUpstream
	InServer
	InServerIf
	InLocation
	InLocationIf
	InLimitExcept
	InStream
	InStreamServer
	InStreamUpstream
	InCluster
)

// Sets of contexts that many directives share.
const (
	inHTTPServer  = InHTTP | InServer
	inHTTPAll     = InHTTP | InServer | InLocation
	inHTTPAllIf   = inHTTPAll | InLocationIf
	inRewrite     = InServer | InServerIf | InLocation | InLocationIf
	inStreamAll   = InStream | InStreamServer
	inEveryServer = inHTTPAll | inStreamAll
)

// contextNames are the words of the documentation, in the order of the bits.
func contextNames() []string {
	return []string{"main", "events", "http", "upstream", "server", "if in server", "location",
		"if in location", "limit_except", "stream", "stream server", "stream upstream", "cluster"}
}

// args is a set of allowed numbers of arguments, as bits, with two marks.
type args uint32

const (
	args0 args = 1 << iota
	args1
	args2
	args3
	args4
	argsMore1 args = 1 << 16 // one or more
	argsMore2 args = 1 << 17 // two or more
	argsFlag  args = 1 << 18 // one, and it is on or off
	argsAny   args = 1 << 19
	argsBlock args = 1 << 20 // a block follows
)

func (a args) allow(n int) bool {
	switch {
	case a&argsAny != 0:
		return true
	case a&argsFlag != 0:
		return n == 1
	case a&argsMore1 != 0:
		return n >= 1
	case a&argsMore2 != 0:
		return n >= 2
	}
	return n < 16 && a&(1<<n) != 0
}

// setter puts a directive into the model.
type setter func(s *scope, d *Directive) error

// row describes a directive in one or more contexts. A name may have several
// rows with different contexts.
type row struct {
	name    string
	in      Context
	args    args
	state   State
	why     string // the reason of a meaningless or refused directive; a remark on a supported one
	differs string // what a supported directive does otherwise than in nginx, worth a note
	many    bool   // may appear more than once in a block
	offOK   bool   // refused, but "off" says what is so anyway
	set     setter
}

// findRow gives the row of d in the context ctx, or the error nginx has for it.
func findRow(rows map[string][]*row, d *Directive, ctx Context) (*row, error) {
	list := rows[d.Name]
	if len(list) == 0 {
		return nil, d.Pos.Errorf(`unknown directive "%s"`, d.Name)
	}
	i := slices.IndexFunc(list, func(r *row) bool { return r.in&ctx != 0 })
	if i < 0 {
		return nil, d.Pos.Errorf(`"%s" directive is not allowed here`, d.Name)
	}
	r := list[i]
	if r.state == Refused {
		return r, nil
	}
	switch block := r.args&argsBlock != 0; {
	case d.Open && !block:
		return nil, d.Pos.Errorf(`directive "%s" is not terminated by ";"`, d.Name)
	case !d.Open && block:
		return nil, d.Pos.Errorf(`directive "%s" has no opening "{"`, d.Name)
	case !r.args.allow(len(d.Args)):
		return nil, d.Pos.Errorf(`invalid number of arguments in "%s" directive`, d.Name)
	}
	return r, nil
}
