package health

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// match is a match block made ready. It implements Answer.
type match struct {
	status  *config.MatchStatus
	headers []headerTest
	body    *variable.Regex // nil: any
	notBody bool
	require []requirement
}

type headerTest struct {
	name  []byte
	op    config.MatchOp
	value []byte
	regex *variable.Regex
}

type requirement struct {
	name string
	text *variable.Text
}

// NewMatch makes a match block ready; nil stands for what holds without one: a
// status from 200 to 399. Errors name the directive's place.
func NewMatch(t *variable.Table, conf *config.Match) (Answer, error) {
	if conf == nil {
		return &match{status: &config.MatchStatus{Ranges: []config.StatusRange{{First: 200, Last: 399}}}}, nil
	}
	m := &match{status: conf.Status}
	for _, h := range conf.Headers {
		test := headerTest{name: []byte(h.Name), op: h.Op, value: []byte(h.Value)}
		if h.Regex != nil {
			var err error
			if test.regex, err = variable.CompileRegex(t, *h.Regex); err != nil {
				return nil, err
			}
		}
		m.headers = append(m.headers, test)
	}
	if b := conf.Body; b != nil {
		var err error
		if m.body, err = variable.CompileRegex(t, b.Regex); err != nil {
			return nil, err
		}
		m.notBody = b.Not
	}
	for _, r := range conf.Require {
		text, err := variable.Compile(t, r.Value)
		if err != nil {
			return nil, r.Pos.Errorf("%v", err)
		}
		m.require = append(m.require, requirement{r.Value, text})
	}
	return m, nil
}

// WantsBody implements Answer.
func (m *match) WantsBody() bool { return m.body != nil }

// Test implements Answer. All tests must hold.
func (m *match) Test(r *request.Request, body []byte) (why Reason, detail string) {
	if s := r.Attempts[0].Status; !statusFits(m.status, s) {
		return ReasonStatus, strconv.Itoa(s)
	}
	for i := range m.headers {
		if h := &m.headers[i]; !h.holds(r) {
			return ReasonHeader, string(h.name)
		}
	}
	if m.body != nil && m.body.Match(r, body) == m.notBody {
		return ReasonBody, fmt.Sprintf("%d bytes were looked at", len(body))
	}
	for _, q := range m.require {
		if !variable.True(q.text.Value(r)) {
			return ReasonRequire, q.name
		}
	}
	return ReasonNone, ""
}

// statusFits is the status test; nil is none.
func statusFits(m *config.MatchStatus, status int) bool {
	if m == nil {
		return true
	}
	for _, r := range m.Ranges {
		if r.First <= status && status <= r.Last {
			return !m.Not
		}
	}
	return m.Not
}

// holds looks at all fields of the name: for "=" and "~" one must fit, for
// their opposites all, and there must be one.
func (h *headerTest) holds(r *request.Request) bool {
	head := &r.Upstream
	seen, fits := false, false
	for i := range head.Fields {
		f := &head.Fields[i]
		if !request.EqualFold(head.Name(f), h.name) {
			continue
		}
		seen = true
		switch value := head.Value(f); {
		case h.regex != nil:
			fits = fits || h.regex.Match(r, value)
		default:
			fits = fits || bytes.Equal(value, h.value)
		}
	}
	switch h.op {
	case config.MatchPresent:
		return seen
	case config.MatchAbsent:
		return !seen
	case config.MatchNotEqual, config.MatchNotLike:
		return seen && !fits
	}
	return fits
}
