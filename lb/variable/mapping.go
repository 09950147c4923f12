package variable

import "github.com/weir-lb/weir/config"

// Mapping is a compiled map block: a variable whose value is found by the
// value of a text.
type Mapping struct {
	conf      *config.Map
	conflict  error // over the variable's name; told by Compile
	source    *Text
	literals  Hostnames[*Text] // without `hostnames` it holds plain keys only
	plain     map[string]*Text
	longest   int // length of the longest plain key
	regexes   []mappedRegex
	otherwise *Text
}

type mappedRegex struct {
	regex *Regex
	value *Text
}

// NewMapping declares a map's variable, so that other texts may refer to it
// whatever the order of the file; Compile must follow before it is read.
func NewMapping(t *Table, conf *config.Map) *Mapping {
	m := &Mapping{conf: conf, plain: map[string]*Text{}}
	m.conflict = t.AddBlock(conf.Name, m.get)
	if m.conflict == nil && conf.Volatile {
		t.Add(Variable{Name: conf.Name, Get: m.get})
	}
	return m
}

// Compile resolves the texts and expressions of the map; every variable that
// they name must be in the table.
func (m *Mapping) Compile(t *Table) (err error) {
	if m.conflict != nil {
		return m.conf.Pos.Errorf("%v", m.conflict)
	}
	if m.source, err = CompileConfig(t, m.conf.Source); err != nil {
		return err
	}
	for i := range m.conf.Entries {
		if err := m.add(t, &m.conf.Entries[i]); err != nil {
			return err
		}
	}
	m.otherwise, err = CompileConfig(t, m.conf.Default)
	return err
}

// add compiles one line; its expression first, for the sake of its named
// groups, to which the value may refer.
func (m *Mapping) add(t *Table, e *config.MapEntry) error {
	var regex *Regex
	if e.Regex != nil {
		var err error
		if regex, err = CompileRegex(t, *e.Regex); err != nil {
			return err
		}
	}
	value, err := CompileConfig(t, e.Value)
	if err != nil {
		return err
	}
	switch {
	case regex != nil:
		m.regexes = append(m.regexes, mappedRegex{regex, value})
		return nil
	case m.conf.Hostnames:
		if m.literals.Add(e.Key, value) {
			return nil
		}
	default:
		m.longest = max(m.longest, len(e.Key))
		if addOnce(m.plain, e.Key, value) {
			return nil
		}
	}
	return e.Pos.Errorf("conflicting parameter %q", e.Key)
}

// get computes the variable's value.
func (m *Mapping) get(s Source) ([]byte, bool) {
	key := m.source.Value(s)
	value, found := m.literal(s, key)
	if !found {
		value = m.match(s, key)
	}
	return value.Value(s), true
}

// literal finds a key that is no expression, without regard to case.
func (m *Mapping) literal(s Source, key []byte) (*Text, bool) {
	if m.conf.Hostnames {
		if n := len(key); n > 0 && key[n-1] == '.' {
			key = key[:n-1]
		}
		return m.literals.Find(lowered(s, key))
	}
	if len(key) > m.longest {
		return nil, false
	}
	if value, ok := m.plain[string(key)]; ok {
		return value, true
	}
	value, ok := m.plain[string(lowered(s, key))]
	return value, ok
}

// match tries the expressions in their order.
func (m *Mapping) match(s Source, key []byte) *Text {
	for i := range m.regexes {
		if m.regexes[i].regex.Match(s, key) {
			return m.regexes[i].value
		}
	}
	return m.otherwise
}

// lowered returns b in lower case, b itself where it is so already.
func lowered(s Source, b []byte) []byte {
	for i, c := range b {
		if 'A' > c || c > 'Z' {
			continue
		}
		low := s.Arena().Copy(b)
		for ; i < len(low); i++ {
			if c := low[i]; 'A' <= c && c <= 'Z' {
				low[i] = c | 0x20
			}
		}
		return low
	}
	return b
}
