package variable

import (
	"fmt"
	"slices"
	"strings"
)

// Source is what values are read from: one request or one stream session.
// A Source is used by one goroutine at a time.
type Source interface {
	// Arena lends the memory for computed values; it lives as long as the
	// source itself.
	Arena() *Arena
	// Memo is the memory of the variable that holds this slot: its value once
	// it was computed (map) or set (set, named captures).
	Memo(slot int) *Memo
}

// Memo remembers one variable's value for the life of its source.
type Memo struct {
	Value []byte
	Known bool // the value was computed or set
	Found bool // false: the variable has no value (logs print "-")
}

// Getter returns a view of a variable's value, valid as long as the source;
// found is false where the variable has no value. It must not keep or change
// the bytes it returns.
type Getter func(s Source) (value []byte, found bool)

// Setter changes a variable that may be assigned (`set $args …`).
type Setter func(s Source, value []byte)

// Variable is one named value of a Table.
type Variable struct {
	Name string
	Get  Getter
	Set  Setter // nil: read only
}

// Prefix makes the getter of a variable of a family such as `$http_…`; rest is
// the name behind the prefix.
type Prefix func(rest string) Variable

// Table holds the variables of one configuration. It is filled and read while
// a configuration is compiled, by one goroutine.
type Table struct {
	names    map[string]*Variable
	prefixes map[string]Prefix
	slots    int
	slow     []*Regex
	used     map[string]bool // names that were looked up
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{names: map[string]*Variable{}, prefixes: map[string]Prefix{}, used: map[string]bool{}}
}

// Add puts a variable into the table; a later one of the same name replaces it.
func (t *Table) Add(v Variable) {
	t.names[strings.ToLower(v.Name)] = &v
}

// AddPrefix puts a family of variables into the table, named by what its
// names begin with, such as "http_".
func (t *Table) AddPrefix(prefix string, p Prefix) {
	t.prefixes[prefix] = p
}

// AddCached puts in a variable whose getter runs at most once per source; its
// value is remembered in a slot of its own.
func (t *Table) AddCached(name string, get Getter) {
	slot := t.NewSlot()
	t.Add(Variable{Name: name, Get: func(s Source) ([]byte, bool) {
		m := s.Memo(slot)
		if !m.Known {
			m.Value, m.Found = get(s)
			m.Known = true
		}
		return m.Value, m.Found
	}})
}

// AddBlock puts in the variable of a map, geo or split_clients block: computed
// once per source, unless `set` gave it a value before. It takes the place of
// an earlier one that can be assigned; a name that is read only is an error in
// nginx's words.
func (t *Table) AddBlock(name string, get Getter) error {
	if v, ok := t.names[strings.ToLower(name)]; ok && v.Set == nil {
		return duplicate(name)
	}
	t.AddCached(name, get)
	slot := t.slots - 1
	t.names[strings.ToLower(name)].Set = assign(slot)
	return nil
}

func duplicate(name string) error { return fmt.Errorf("the duplicate %q variable", name) }

// assign is the setter of the variable that holds a slot.
func assign(slot int) Setter {
	return func(s Source, value []byte) { *s.Memo(slot) = Memo{Value: value, Known: true, Found: true} }
}

// AddAssigned returns the variable that `set`, a named capture or a module
// assigns at run time; before the first assignment it is empty. A name that
// can be assigned already is returned as it is; one that is read only is an
// error in nginx's words.
func (t *Table) AddAssigned(name string) (*Variable, error) {
	if v, ok := t.names[strings.ToLower(name)]; ok {
		if v.Set == nil {
			return nil, duplicate(name)
		}
		return v, nil
	}
	slot := t.NewSlot()
	t.Add(Variable{
		Name: name,
		Get: func(s Source) ([]byte, bool) {
			m := s.Memo(slot)
			return m.Value, m.Found
		},
		Set: assign(slot),
	})
	return t.names[strings.ToLower(name)], nil
}

// NewSlot reserves a Memo in every source.
func (t *Table) NewSlot() int {
	t.slots++
	return t.slots - 1
}

// Slots is how many memos a source needs.
func (t *Table) Slots() int { return t.slots }

// SlowRegexes lists the expressions compiled with this table that run on the
// backtracking engine.
func (t *Table) SlowRegexes() []*Regex { return t.slow }

// Used tells whether one of the names was looked up, so that what only these
// variables need can be spared.
func (t *Table) Used(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return t.used[name] })
}

// Lookup finds a variable by its name without the dollar sign; names are not
// case-sensitive.
func (t *Table) Lookup(name string) (*Variable, error) {
	lower := strings.ToLower(name)
	t.used[lower] = true
	if v, ok := t.names[lower]; ok {
		return v, nil
	}
	best := ""
	for p := range t.prefixes {
		if strings.HasPrefix(lower, p) && len(lower) > len(p) && len(p) > len(best) {
			best = p
		}
	}
	if best == "" {
		return nil, fmt.Errorf("unknown %q variable", name)
	}
	v := t.prefixes[best](lower[len(best):])
	v.Name = lower
	t.names[lower] = &v
	return &v, nil
}
