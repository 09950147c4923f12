package accesslog

import (
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// source is a request reduced to the values of some variables.
type source struct {
	arena  variable.Arena
	values map[string]string
}

func (s *source) Arena() *variable.Arena    { return &s.arena }
func (s *source) Memo(int) *variable.Memo   { return nil }
func with(values map[string]string) *source { return &source{values: values} }
func value(s variable.Source, n string) ([]byte, bool) {
	v, ok := s.(*source).values[n]
	return []byte(v), ok
}

// table knows the variables that the tests use.
func table() *variable.Table {
	t := variable.NewTable()
	for _, name := range []string{
		"remote_addr", "remote_user", "time_local", "request", "status", "body_bytes_sent", "http_referer",
		"http_user_agent", "a", "b", "host", "loggable",
	} {
		t.Add(variable.Variable{Name: name, Get: func(s variable.Source) ([]byte, bool) { return value(s, name) }})
	}
	return t
}

func combined() *config.LogFormat {
	return &config.LogFormat{Name: "combined", Format: config.Text{Value: `$remote_addr - $remote_user [$time_local] "$request" ` +
		`$status $body_bytes_sent "$http_referer" "$http_user_agent"`}}
}

// formats are "combined", and "a" which writes the variable of that name.
func formats() []*config.LogFormat {
	return []*config.LogFormat{combined(), {Name: "a", Format: config.Text{Value: "$a"}}}
}

// newSet returns a set and the lines its error log gets.
func newSet(t *testing.T, change func(*Options)) (*Set, *[]string) {
	t.Helper()
	errs := new([]string)
	o := Options{
		Outputs: errorlog.NewSet(errorlog.Options{Hostname: "box"}), Variables: table(), Formats: formats(),
		Errors: errorlog.NewFunc(errorlog.Debug, func(l errorlog.Level, _ uint64, m string) {
			*errs = append(*errs, l.String()+" "+m)
		}),
	}
	if change != nil {
		change(&o)
	}
	return NewSet(o), errs
}

func mustOpen(t *testing.T, s *Set, logs ...config.AccessLog) *Log {
	t.Helper()
	l, err := s.Open(logs)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func to(path, format string) config.AccessLog {
	return config.AccessLog{Path: config.Text{Value: path}, Format: format}
}
