package route

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// Locations finds the location of a path among those of one server, or among
// those nested in one location.
type Locations[T any] struct {
	names    []string    // of the prefixes, close together for the search
	prefixes []prefix[T] // sorted by name
	slashed  slashed
	regexes  []regexLocation[T]
	named    map[string]T
}

// slashed finds the prefixes with a redirect by their names without the slash.
type slashed struct {
	index   map[string]int
	lengths uint64 // bit n: there is a name of n bytes (modulo 64)
}

func (s *slashed) add(name string, i int) {
	if s.index == nil {
		s.index = map[string]int{}
	}
	s.index[name] = i
	s.lengths |= 1 << (len(name) % 64)
}

func (s *slashed) find(path []byte) (int, bool) {
	if s.lengths&(1<<(len(path)%64)) == 0 {
		return 0, false
	}
	i, ok := s.index[string(path)]
	return i, ok
}

// prefix is a name with the locations that bear it: `= name`, `name`, or both.
type prefix[T any] struct {
	name      string
	exact     *location[T]
	inclusive *location[T]
	parent    int    // the longest other inclusive name that begins this one; -1: none
	redirect  []byte // escaped name; nil: no redirect to the name with its slash
}

type location[T any] struct {
	value   T
	noRegex bool          // ^~
	inner   *Locations[T] // nil: nothing is nested
}

type regexLocation[T any] struct {
	location[T]
	regex *variable.Regex
}

// Hit is what a path led to.
type Hit[T any] struct {
	Value T
	Found bool // false: no location matches, the server itself answers
	// Redirect is the path with a slash at its end, escaped, to which the
	// client is sent by 301 (with the query, if any); nil: no redirect.
	Redirect []byte
}

// CompileLocations compiles a server's locations with all that is nested in
// them; value gives the payload of each. Expressions are compiled in order.
func CompileLocations[T any](t *variable.Table, list []*config.Location, value func(*config.Location) T) (*Locations[T], error) {
	l := &Locations[T]{}
	byName := map[string]*prefix[T]{}
	for _, conf := range list {
		if err := l.add(t, byName, conf, value); err != nil {
			return nil, err
		}
	}
	for _, p := range byName {
		l.prefixes = append(l.prefixes, *p)
	}
	l.arrange()
	return l, nil
}

// add compiles one location into its table.
func (l *Locations[T]) add(t *variable.Table, byName map[string]*prefix[T], conf *config.Location, value func(*config.Location) T) error {
	loc := location[T]{value: value(conf), noRegex: conf.Kind == config.MatchNoRegex}
	if len(conf.Locations) > 0 {
		inner, err := CompileLocations(t, conf.Locations, value)
		if err != nil {
			return err
		}
		loc.inner = inner
	}
	switch conf.Kind {
	case config.MatchNamed:
		if l.named == nil {
			l.named = map[string]T{}
		}
		if !addOnce(l.named, conf.Pattern, loc.value) {
			return conf.Pos.Errorf("duplicate location %q", conf.Pattern)
		}
	case config.MatchRegex, config.MatchRegexNoCase:
		noCase := conf.Kind == config.MatchRegexNoCase
		re, err := variable.CompileRegex(t, config.Regex{Pattern: conf.Pattern, NoCase: noCase, Pos: conf.Pos})
		if err != nil {
			return err
		}
		l.regexes = append(l.regexes, regexLocation[T]{loc, re})
	case config.MatchPrefix, config.MatchNoRegex, config.MatchExact:
		return addPrefix(byName, conf, &loc)
	}
	return nil
}

func addOnce[K comparable, T any](m map[K]T, key K, value T) bool {
	if _, ok := m[key]; ok {
		return false
	}
	m[key] = value
	return true
}

// addPrefix files a location under its name.
func addPrefix[T any](byName map[string]*prefix[T], conf *config.Location, loc *location[T]) error {
	p := byName[conf.Pattern]
	if p == nil {
		p = &prefix[T]{name: conf.Pattern, parent: -1}
		byName[conf.Pattern] = p
	}
	place := &p.inclusive
	if conf.Kind == config.MatchExact {
		place = &p.exact
	}
	if *place != nil {
		return conf.Pos.Errorf("duplicate location %q", conf.Pattern)
	}
	*place = loc
	if conf.Proxy != nil && strings.HasSuffix(p.name, "/") {
		p.redirect = AppendEscapedPath(nil, []byte(p.name))
	}
	return nil
}

// arrange sorts the names and links each to the longest that begins it.
func (l *Locations[T]) arrange() {
	slices.SortFunc(l.prefixes, func(a, b prefix[T]) int { return cmp.Compare(a.name, b.name) })
	for i := range l.prefixes {
		p := &l.prefixes[i]
		// The names that begin this one are the one before it and its parents.
		for p.parent = i - 1; p.parent >= 0; p.parent = l.prefixes[p.parent].parent {
			if q := &l.prefixes[p.parent]; q.inclusive != nil && strings.HasPrefix(p.name, q.name) {
				break
			}
		}
		l.names = append(l.names, p.name)
		if p.redirect != nil {
			l.slashed.add(strings.TrimSuffix(p.name, "/"), i)
		}
	}
}

// Named returns a named location; name begins with its @.
func (l *Locations[T]) Named(name []byte) (value T, found bool) {
	value, found = l.named[string(name)]
	return value, found
}

// outcome is how a search ended, in the order of nginx's algorithm.
type outcome uint8

const (
	declined  outcome = iota // nothing matches
	inclusive                // a prefix matches, an expression may still win
	final
)

// Find returns the location of a decoded and normalised path. A matching
// expression sets the captures of s. Nothing is allocated but captures.
func (l *Locations[T]) Find(path []byte, s variable.Source) Hit[T] {
	var hit Hit[T]
	l.find(path, s, &hit)
	return hit
}

// find follows nginx: an exact name ends the search; else the longest prefix
// is remembered, then what is nested in it is searched, then the expressions
// of this level are tried unless the prefix forbids it.
func (l *Locations[T]) find(path []byte, s variable.Source, hit *Hit[T]) outcome {
	result, loc := l.findPrefix(path, hit)
	if result == final {
		return final
	}
	noRegex := false
	if loc != nil {
		noRegex = loc.noRegex
		if loc.inner != nil && loc.inner.find(path, s, hit) == final {
			return final
		}
	}
	if noRegex {
		return result
	}
	for i := range l.regexes {
		if re := &l.regexes[i]; re.regex.Match(s, path) {
			hit.Value, hit.Found = re.value, true
			if re.inner != nil {
				re.inner.find(path, s, hit)
			}
			return final
		}
	}
	return result
}

// findPrefix finds the exact name, the redirect to a slash, or the longest
// prefix, which it returns.
func (l *Locations[T]) findPrefix(path []byte, hit *Hit[T]) (outcome, *location[T]) {
	i := l.search(path)
	if i >= 0 && l.names[i] == string(path) {
		p := &l.prefixes[i]
		if p.exact != nil {
			hit.Value, hit.Found = p.exact.value, true
			return final, nil
		}
		hit.Value, hit.Found = p.inclusive.value, true
		return inclusive, p.inclusive
	}
	if j, ok := l.slashed.find(path); ok {
		hit.slash(&l.prefixes[j])
		return final, nil
	}
	for ; i >= 0; i = l.prefixes[i].parent {
		if p := &l.prefixes[i]; p.inclusive != nil && hasPrefix(path, p.name) {
			hit.Value, hit.Found = p.inclusive.value, true
			return inclusive, p.inclusive
		}
	}
	return declined, nil
}

func hasPrefix(path []byte, name string) bool {
	return len(path) >= len(name) && string(path[:len(name)]) == name
}

// slash makes the hit a redirect to a name with its final slash.
func (hit *Hit[T]) slash(p *prefix[T]) {
	loc := p.exact
	if loc == nil {
		loc = p.inclusive
	}
	hit.Value, hit.Found, hit.Redirect = loc.value, true, p.redirect
}

// search returns the index of the greatest name that is not greater than the
// path, -1 if there is none. Every name that begins the path is that one or
// one of its parents.
func (l *Locations[T]) search(path []byte) int {
	low, high := 0, len(l.names)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if l.names[mid] <= string(path) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low - 1
}
