package config

import (
	"net/netip"
	"slices"
	"strings"
)

// variableName gives the name of "$name".
func variableName(d *Directive, arg string) (string, error) {
	name, ok := strings.CutPrefix(arg, "$")
	if !ok || !isWord(name) {
		return "", d.Pos.Errorf(`invalid variable name "%s"`, arg)
	}
	return name, nil
}

// setMap reads a map block.
func setMap(s *scope, d *Directive) error {
	name, err := variableName(d, d.Args[1])
	if err != nil {
		return err
	}
	m := &Map{Pos: d.Pos, Name: name, Source: d.text(0)}
	for _, line := range d.Block {
		if err := m.line(s, line); err != nil {
			return err
		}
	}
	s.http.Maps = append(s.http.Maps, m)
	return nil
}

func (m *Map) line(s *scope, d *Directive) error {
	if d.Open {
		return d.Pos.Errorf(`unexpected "{"`)
	}
	if len(d.Args) == 0 {
		switch d.Name {
		case "hostnames":
			m.Hostnames = true
			return nil
		case "volatile":
			m.Volatile = true
			return nil
		}
	}
	if len(d.Args) != 1 {
		return d.Pos.Errorf("invalid number of the map parameters")
	}
	e := MapEntry{Pos: d.Pos, Value: d.text(0)}
	switch {
	case d.Name == "default":
		if !m.Default.IsZero() {
			return d.Pos.Errorf("duplicate default map parameter")
		}
		m.Default = e.Value
		return nil
	case strings.HasPrefix(d.Name, "~"):
		pattern, noCase := strings.CutPrefix(d.Name[1:], "*")
		e.Regex = &Regex{Pattern: pattern, NoCase: noCase, Pos: d.Pos}
	default:
		e.Key = strings.ToLower(strings.TrimPrefix(d.Name, `\`))
		if m.Hostnames && strings.Contains(e.Key, "*") && !isWildcard(e.Key) {
			return d.Pos.Errorf(`invalid hostname or wildcard "%s"`, e.Key)
		}
		if slices.ContainsFunc(m.Entries, func(o MapEntry) bool { return o.Regex == nil && o.Key == e.Key }) {
			return d.Pos.Errorf(`conflicting parameter "%s"`, e.Key)
		}
	}
	m.Entries = append(m.Entries, e)
	return nil
}

func isWildcard(name string) bool {
	n := parseServerName(name, "")
	return n.valid() && n.Kind != NameExact
}

// setSplitClients reads a split_clients block.
func setSplitClients(s *scope, d *Directive) error {
	name, err := variableName(d, d.Args[1])
	if err != nil {
		return err
	}
	c := &SplitClients{Pos: d.Pos, Name: name, Source: d.text(0)}
	sum := 0
	for _, line := range d.Block {
		if line.Open {
			return line.Pos.Errorf(`unexpected "{"`)
		}
		if len(line.Args) != 1 {
			return line.Pos.Errorf("invalid number of the split_clients parameters")
		}
		p := SplitPart{Pos: line.Pos, Value: line.text(0)}
		if line.Name != "*" {
			var ok bool
			if p.Percent, ok = parsePercent(line.Name); !ok || p.Percent == 0 {
				return line.Pos.Errorf(`invalid percent value "%s"`, line.Name)
			}
		}
		if sum += p.Percent; sum > 100*100 {
			return d.End.Errorf("percent total is greater than 100%%")
		}
		c.Parts = append(c.Parts, p)
	}
	s.http.SplitClients = append(s.http.SplitClients, c)
	return nil
}

// parsePercent reads "N%", with up to two decimals, in hundredths.
func parsePercent(s string) (int, bool) {
	s, ok := strings.CutSuffix(s, "%")
	whole, fraction, _ := strings.Cut(s, ".")
	if !ok || len(fraction) > 2 || len(whole) > 3 {
		return 0, false
	}
	return parseNumber(whole + (fraction + "00")[:2])
}

// setGeo reads a geo block.
func setGeo(s *scope, d *Directive) error {
	g := &Geo{Pos: d.Pos}
	if len(d.Args) == 2 {
		if _, err := variableName(d, d.Args[0]); err != nil {
			return err
		}
		g.Source = d.text(0)
	}
	name, err := variableName(d, d.Args[len(d.Args)-1])
	if err != nil {
		return err
	}
	g.Name = name
	for _, line := range d.Block {
		if err := g.line(s, line); err != nil {
			return err
		}
	}
	s.http.Geos = append(s.http.Geos, g)
	return nil
}

func (g *Geo) line(s *scope, d *Directive) error {
	switch {
	case d.Open:
		return d.Pos.Errorf(`unexpected "{"`)
	case len(d.Args) == 0 && d.Name == "ranges":
		if len(g.Entries) > 0 {
			return d.Pos.Errorf(`the "ranges" directive must be the first directive inside "geo" block`)
		}
		g.Ranges = true
		return nil
	case len(d.Args) == 0 && d.Name == "proxy_recursive":
		g.Recursive = true
		return nil
	case len(d.Args) != 1:
		return d.Pos.Errorf("invalid number of the geo parameters")
	case d.Name == "proxy":
		p, ok := s.cidr(d, d.Args[0])
		if !ok {
			return d.Pos.Errorf(`invalid network "%s"`, d.Args[0])
		}
		g.Proxies = append(g.Proxies, p)
		return nil
	case d.Name == "default":
		if g.Default != "" {
			s.warn(d.Pos, `duplicate default geo value "`+d.Args[0]+`", old value: "`+g.Default+`"`, "")
		}
		g.Default = d.Args[0]
		return nil
	case d.Name == "delete":
		return g.remove(s, d)
	}
	e, err := g.entry(s, d, d.Name)
	if err != nil {
		return err
	}
	e.Value = d.Args[0]
	g.put(s, e, d.Name)
	return nil
}

// entry reads a network, or a range if the block begins with "ranges".
func (g *Geo) entry(s *scope, d *Directive, text string) (GeoEntry, error) {
	e := GeoEntry{Pos: d.Pos}
	if g.Ranges {
		low, high, _ := strings.Cut(text, "-")
		var err1, err2 error
		e.Low, err1 = netip.ParseAddr(low)
		e.High, err2 = netip.ParseAddr(high)
		if err1 != nil || err2 != nil || !e.Low.Is4() || !e.High.Is4() || e.High.Less(e.Low) {
			return e, d.Pos.Errorf(`invalid range "%s"`, text)
		}
		return e, nil
	}
	p, ok := s.cidr(d, text)
	if !ok {
		return e, d.Pos.Errorf(`invalid network "%s"`, text)
	}
	e.Prefix = p
	return e, nil
}

func (e *GeoEntry) sameKey(o *GeoEntry) bool {
	return e.Prefix == o.Prefix && e.Low == o.Low && e.High == o.High
}

func (g *Geo) index(e *GeoEntry) int {
	return slices.IndexFunc(g.Entries, func(o GeoEntry) bool { return o.sameKey(e) })
}

// put adds e, written as key; a network written before gets the new value.
func (g *Geo) put(s *scope, e GeoEntry, key string) {
	i := g.index(&e)
	if i < 0 {
		g.Entries = append(g.Entries, e)
		return
	}
	old := &g.Entries[i]
	what := "network"
	if g.Ranges {
		what = "range"
	}
	s.warn(e.Pos, "duplicate "+what+` "`+key+`", value: "`+e.Value+`", old value: "`+old.Value+`"`, "")
	old.Value = e.Value
}

func (g *Geo) remove(s *scope, d *Directive) error {
	e, err := g.entry(s, d, d.Args[0])
	if err != nil {
		return err
	}
	if i := g.index(&e); i >= 0 {
		g.Entries = slices.Delete(g.Entries, i, i+1)
		return nil
	}
	what := "network"
	if g.Ranges {
		what = "address range"
	}
	s.warn(d.Pos, "no "+what+` "`+d.Args[0]+`" to delete`, "")
	return nil
}
