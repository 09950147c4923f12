package config

import "strings"

// instruct appends a step to the rewrite phase of the block.
func (s *scope) instruct(i Instruction) {
	if s.location != nil {
		s.location.Rewrite = append(s.location.Rewrite, i)
		return
	}
	s.server.Rewrite = append(s.server.Rewrite, i)
}

// isURL reports whether text gives a whole URL rather than a path.
func isURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "$scheme")
}

func setReturn(s *scope, d *Directive) error {
	r := &Return{Pos: d.Pos}
	code, ok := parseNumber(d.Args[0])
	switch {
	case ok && code <= 999:
		r.Code = code
		if len(d.Args) == 2 {
			r.Text = d.text(1)
		}
	case !ok && len(d.Args) == 1 && isURL(d.Args[0]):
		r.Code, r.Text = 302, d.text(0)
	default:
		return d.Pos.Errorf(`invalid return code "%s"`, d.Args[0])
	}
	s.instruct(r)
	return nil
}

func setRewrite(s *scope, d *Directive) error {
	r := &Rewrite{Pos: d.Pos, Regex: Regex{Pattern: d.Args[0], Pos: d.Pos}, Replacement: d.text(1)}
	if r.Replacement.Value == "" {
		return d.Pos.Errorf("empty replacement")
	}
	if isURL(r.Replacement.Value) {
		r.External, r.Flag = true, RewriteRedirect
	}
	if len(d.Args) == 3 {
		flag, ok := exact([]word[RewriteFlag]{
			{"last", RewriteLast}, {"break", RewriteBreak}, {"redirect", RewriteRedirect}, {"permanent", RewritePermanent},
		}, d.Args[2])
		if !ok {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[2])
		}
		// A whole URL stays a redirect whatever "last" or "break" say.
		if !r.External || flag == RewritePermanent {
			r.Flag = flag
		}
	}
	if v, ok := strings.CutSuffix(r.Replacement.Value, "?"); ok {
		r.Replacement.Value, r.DropArgs = v, true
	}
	s.instruct(r)
	return nil
}

func setSet(s *scope, d *Directive) error {
	name, ok := strings.CutPrefix(d.Args[0], "$")
	if !ok || !isWord(name) {
		return d.Pos.Errorf(`invalid variable name "%s"`, d.Args[0])
	}
	s.instruct(&Set{Pos: d.Pos, Name: name, Value: d.text(1)})
	return nil
}

func setBreak(s *scope, d *Directive) error {
	s.instruct(&Break{Pos: d.Pos})
	return nil
}

// setIf takes the place of the if among the instructions now and builds its
// body once the enclosing block's settings are complete.
func setIf(s *scope, d *Directive) error {
	c, err := parseCondition(d)
	if err != nil {
		return err
	}
	op := &If{Pos: d.Pos, Condition: c}
	s.instruct(op)
	in := InServerIf
	if s.location != nil {
		in = InLocationIf
	}
	s.after = append(s.after, func() error {
		op.Body = &Location{Pos: d.Pos, Kind: MatchIf}
		if s.location != nil {
			op.Body.Proxy, op.Body.StubStatus, op.Body.Pending = s.location.Proxy, s.location.StubStatus, s.location.Pending
		}
		return buildLocation(s, d, op.Body, in)
	})
	return nil
}

// parseCondition reads the words of an if. The parentheses may stand alone or
// touch their neighbours.
func parseCondition(d *Directive) (Condition, error) {
	bad := func(w string) (Condition, error) { return Condition{}, d.Pos.Errorf(`invalid condition "%s"`, w) }
	w := append([]string(nil), d.Args...)
	last := len(w) - 1
	if !strings.HasPrefix(w[0], "(") {
		return bad(w[0])
	}
	w[0] = w[0][1:]
	if !strings.HasSuffix(w[last], ")") {
		return bad(w[last])
	}
	if w[last] = strings.TrimSuffix(w[last], ")"); w[last] == "" {
		w = w[:last]
	}
	if len(w) > 0 && w[0] == "" {
		w = w[1:]
	}
	switch {
	case len(w) == 0:
		return bad("")
	case len(w[0]) > 1 && w[0][0] == '$':
		return variableCondition(d, w)
	case len(w) == 2:
		if c, ok := fileCondition(d, w); ok {
			return c, nil
		}
	}
	return bad(w[0])
}

func variableCondition(d *Directive, w []string) (Condition, error) {
	c := Condition{Variable: Text{Value: w[0], Pos: d.Pos}}
	if len(w) == 1 {
		return c, nil
	}
	if len(w) != 3 {
		return c, d.Pos.Errorf(`invalid condition "%s"`, w[0])
	}
	op := strings.TrimPrefix(w[1], "!")
	c.Negate = op != w[1]
	switch op {
	case "=":
		c.Test, c.Value = TestEqual, Text{Value: w[2], Pos: d.Pos}
	case "~", "~*":
		c.Test, c.Regex = TestRegex, Regex{Pattern: w[2], NoCase: op == "~*", Pos: d.Pos}
	default:
		return c, d.Pos.Errorf(`unexpected "%s" in condition`, w[1])
	}
	return c, nil
}

func fileCondition(d *Directive, w []string) (Condition, bool) {
	op := strings.TrimPrefix(w[0], "!")
	test, ok := exact([]word[Test]{{"-f", TestFile}, {"-d", TestDir}, {"-e", TestExists}, {"-x", TestExec}}, op)
	return Condition{Test: test, Negate: op != w[0], Value: Text{Value: w[1], Pos: d.Pos}}, ok
}
