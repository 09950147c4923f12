package route

import (
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// DeclareVariables adds every variable that `set` or a named group of a
// server's or location's expressions assigns, so that texts may name it
// whatever the order of the file. It comes before any text is compiled.
func DeclareVariables(t *variable.Table, http *config.HTTP) error {
	for _, m := range http.Maps {
		for _, e := range m.Entries {
			if e.Regex != nil {
				if err := declareGroups(t, e.Regex.Pattern, e.Pos); err != nil {
					return err
				}
			}
		}
	}
	for _, server := range http.Servers {
		for _, n := range server.Names {
			if n.Kind == config.NameRegex {
				if err := declareGroups(t, n.Name, n.Pos); err != nil {
					return err
				}
			}
		}
		if err := declareScript(t, server.Rewrite); err != nil {
			return err
		}
		if err := declareLocations(t, server.Locations); err != nil {
			return err
		}
	}
	return nil
}

func declareLocations(t *variable.Table, list []*config.Location) error {
	for _, l := range list {
		if l.Kind == config.MatchRegex || l.Kind == config.MatchRegexNoCase {
			if err := declareGroups(t, l.Pattern, l.Pos); err != nil {
				return err
			}
		}
		if err := declareScript(t, l.Rewrite); err != nil {
			return err
		}
		if err := declareLocations(t, l.Locations); err != nil {
			return err
		}
	}
	return nil
}

func declareScript(t *variable.Table, list []config.Instruction) (err error) {
	for _, in := range list {
		switch in := in.(type) {
		case *config.Set:
			if _, e := t.AddAssigned(in.Name); e != nil {
				err = in.Pos.Errorf("%v", e)
			}
		case *config.Rewrite:
			err = declareGroups(t, in.Regex.Pattern, in.Pos)
		case *config.If:
			if err = declareGroups(t, in.Condition.Regex.Pattern, in.Pos); err == nil && in.Body != nil {
				err = declareScript(t, in.Body.Rewrite)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func declareGroups(t *variable.Table, pattern string, pos config.Pos) error {
	for _, name := range variable.GroupNames(pattern) {
		if _, err := t.AddAssigned(name); err != nil {
			return pos.Errorf("%v", err)
		}
	}
	return nil
}
