package config

// Support tells what became of one directive of nginx in the blocks named.
type Support struct {
	Name  string
	In    []string // "http", "server", "if in location", ...
	State State
}

// Directives returns all known directives, in no order. A name with different
// meanings in different blocks appears once for each.
func Directives() []Support {
	var all []Support
	names := contextNames()
	for _, rows := range rowIndex() {
		for _, r := range rows {
			s := Support{Name: r.name, State: r.state}
			for i, name := range names {
				if r.in&(1<<i) != 0 {
					s.In = append(s.In, name)
				}
			}
			all = append(all, s)
		}
	}
	return all
}
