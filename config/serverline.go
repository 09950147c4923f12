package config

import "strings"

// ParseServer reads a server line that was not written into the block: its
// words, the address first. Errors are those of a line in the file, without a
// place.
func (u *Upstream) ParseServer(words []string) (UpstreamServer, error) {
	if len(words) == 0 || words[0] == "" {
		return UpstreamServer{}, (&Error{Msg: `no address of a server`})
	}
	return u.server(&Directive{Name: "server", Args: words})
}

// ServerEdit is a change of parameters of a server line: those that are named in
// Given are those of Server.
type ServerEdit struct {
	Server UpstreamServer
	Given  map[string]bool
}

// ParseEdit reads parameters as they are written in a server line. Those without
// a value may be taken back by "=off".
func (u *Upstream) ParseEdit(words []string) (ServerEdit, error) {
	e := ServerEdit{Given: map[string]bool{}}
	d := &Directive{Name: "server"}
	for _, word := range words {
		name, value, valued := strings.Cut(word, "=")
		var err error
		switch name {
		case "resolve", "service":
			err = d.Pos.Errorf(`parameter "%s" cannot be changed`, name)
		case "backup", "down", "drain":
			switch {
			case !valued || value == "on":
				err = u.param(&e.Server, d, name)
			case value != "off":
				err = d.Pos.Errorf(`invalid parameter "%s"`, word)
			}
		default:
			err = u.param(&e.Server, d, word)
		}
		if err != nil {
			return ServerEdit{}, err
		}
		if e.Given[name] {
			return ServerEdit{}, d.Pos.Errorf(`parameter "%s" is given twice`, name)
		}
		e.Given[name] = true
	}
	if len(e.Given) == 0 {
		return ServerEdit{}, d.Pos.Errorf("no parameter to change")
	}
	return e, nil
}
