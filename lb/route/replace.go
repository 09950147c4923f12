package route

import (
	"bytes"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// rewriteStep is `rewrite`.
type rewriteStep struct {
	regex *variable.Regex
	path  *variable.Text // of an external redirect the whole URL
	args  *variable.Text // nil: the replacement has no query
	flag  config.RewriteFlag

	external bool // answers with a redirect
	keepArgs bool
	query    bool // an external replacement has a query already
}

func compileRewrite(t *variable.Table, in *config.Rewrite) (step, error) {
	regex, err := variable.CompileRegex(t, in.Regex)
	if err != nil {
		return nil, err
	}
	s := &rewriteStep{regex: regex, flag: in.Flag, keepArgs: !in.DropArgs}
	s.external = in.External || in.Flag == config.RewriteRedirect || in.Flag == config.RewritePermanent
	text := in.Replacement
	if s.external {
		s.query = strings.Contains(text.Value, "?")
		s.path, err = variable.CompileConfig(escapedCaptures{t}, text)
		return s, err
	}
	path, args, found := strings.Cut(text.Value, "?")
	if s.path, err = variable.CompileConfig(t, config.Text{Value: path, Pos: text.Pos}); err != nil {
		return nil, err
	}
	if found || in.DropArgs {
		s.args, err = variable.CompileConfig(escapedCaptures{t}, config.Text{Value: args, Pos: text.Pos})
	}
	return s, err
}

// escapedCaptures finds $1 to $9 in the form in which they stand in a query or
// a URL: escaped anew, where the request's path had escapes itself.
type escapedCaptures struct{ table *variable.Table }

// Lookup implements variable.Names.
func (e escapedCaptures) Lookup(name string) (*variable.Variable, error) {
	v, err := e.table.Lookup(name)
	if err != nil || len(name) != 1 || name[0] < '1' || name[0] > '9' {
		return v, err
	}
	plain := v.Get
	return &variable.Variable{Name: name, Get: func(s variable.Source) ([]byte, bool) {
		value, found := plain(s)
		if !found || !wasEscaped(s.(*request.Request)) {
			return value, found
		}
		a := s.Arena()
		return a.Keep(AppendEscapedArgs(a.Take(), value)), true
	}}, nil
}

// wasEscaped tells whether the path as received had escapes or plus signs.
func wasEscaped(r *request.Request) bool {
	path, _, _ := bytes.Cut(r.URI(), question)
	return bytes.IndexByte(path, '%') >= 0 || bytes.IndexByte(path, '+') >= 0
}

var question = []byte("?")

func (s *rewriteStep) run(r *request.Request, o *Outcome, self int) int {
	if !matchOrForget(s.regex, r, r.Path) {
		return self + 1
	}
	if r.Explains() {
		r.Explainf("rewrite: %q matches %s in %s", s.regex, r.Path, s.regex.Pos())
	}
	r.Internal, r.Changed, r.Plain = true, true, false
	if s.external {
		s.redirect(r, o)
		return end
	}
	path := s.path.Value(r)
	s.replaceArgs(r)
	if len(path) == 0 {
		r.LogError(errorlog.Error, "the rewritten URI has a zero length")
		o.Action, o.Status = Respond, 500
		return end
	}
	r.Path = path
	if r.Explains() {
		r.Explainf("rewrite: the path is now %s", path)
	}
	o.Action = Relocate
	switch s.flag {
	case config.RewriteBreak:
		o.Action, r.Moved = Continue, true
		return end
	case config.RewriteLast:
		return end
	}
	return self + 1
}

// replaceArgs puts the replacement's query before that of the request.
func (s *rewriteStep) replaceArgs(r *request.Request) {
	if s.args == nil {
		return
	}
	args := s.args.Value(r)
	if s.keepArgs && len(r.Args) > 0 {
		args = join(r, args, '&', r.Args)
	}
	r.Args, r.HasArgs = args, len(args) > 0
}

// join puts two values together with a byte between them.
func join(r *request.Request, a []byte, between byte, b []byte) []byte {
	out := r.Arena().Bytes(len(a) + 1 + len(b))
	n := copy(out, a)
	out[n] = between
	copy(out[n+1:], b)
	return out
}

// redirect answers with the replacement as Location.
func (s *rewriteStep) redirect(r *request.Request, o *Outcome) {
	text := s.path.Value(r)
	url := unescapeURL(r.Arena().Bytes(len(text))[:0], text)
	if s.keepArgs && len(r.Args) > 0 {
		between := byte('?')
		if s.query {
			between = '&'
		}
		url = join(r, url, between, r.Args)
	}
	o.Action, o.Status, o.Location = Respond, 302, url
	if s.flag == config.RewritePermanent {
		o.Status = 301
	}
}

// unescapeURL decodes the escapes before the query that need none, and drops
// what is not whole of others, as nginx does with the target of a redirect.
func unescapeURL(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '?' {
			return append(dst, src[i:]...)
		}
		if c != '%' {
			dst = append(dst, c)
			continue
		}
		high, low, n := escapeAt(src[i:])
		if n < 3 {
			if i += n; i < len(src) {
				dst = append(dst, src[i])
			}
			continue
		}
		i += 2
		switch v := high<<4 | low; {
		case v == '?':
			return append(append(dst, v), src[i+1:]...)
		case v > '%' && v < 0x7f:
			dst = append(dst, v)
		default:
			dst = append(dst, src[i-2:i+1]...)
		}
	}
	return dst
}

// escapeAt reads the escape at the head of b; n is how much of it is right.
func escapeAt(b []byte) (high, low byte, n int) {
	var ok bool
	if len(b) < 2 {
		return 0, 0, 1
	}
	if high, ok = unhex(b[1]); !ok {
		return 0, 0, 1
	}
	if len(b) < 3 {
		return high, 0, 2
	}
	if low, ok = unhex(b[2]); !ok {
		return high, 0, 2
	}
	return high, low, 3
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
