package accesslog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// Options is what a Set needs of its surroundings.
type Options struct {
	Outputs   *errorlog.Set  // where files and syslog senders are opened
	Variables variable.Names // what formats may name
	Formats   []*config.LogFormat
	Errors    *errorlog.Logger // told of logs that cannot be written; nil: nobody
	Prefix    string           // directory for names that variables leave relative
	// RootExists tells whether the directory a request is served from exists.
	// Files named by variables are only written where it does, so that clients
	// cannot make files by inventing hosts. nil: do not ask.
	RootExists func(variable.Source) bool
}

// Set is the formats and sinks of one configuration. Open is called by one
// goroutine while the configuration is compiled; the Logs it returns are safe
// for concurrent use.
type Set struct {
	opts    Options
	formats map[string]*Format
	sinks   map[string]opened
	named   *namedFiles
	lines   sync.Pool // of *[]byte
}

// opened is a sink with the parameters it was opened with.
type opened struct {
	sink   sink
	buffer bufferOptions
}

// NewSet returns a set in which nothing is open.
func NewSet(o Options) *Set {
	return &Set{
		opts:    o,
		formats: map[string]*Format{},
		sinks:   map[string]opened{},
		named:   newNamedFiles(o.Outputs, o.Prefix, &reporter{log: o.Errors}),
	}
}

// Open returns the log of an `access_log` setting, nil where it is off.
func (s *Set) Open(logs []config.AccessLog) (*Log, error) {
	if len(logs) == 0 {
		return nil, nil
	}
	l := &Log{set: s, entries: make([]entry, 0, len(logs))}
	for i := range logs {
		e, err := s.entry(&logs[i])
		if err != nil {
			return nil, err
		}
		l.entries = append(l.entries, e)
	}
	return l, nil
}

func (s *Set) entry(a *config.AccessLog) (e entry, err error) {
	if e.format, err = s.format(a); err != nil {
		return e, err
	}
	if !a.If.IsZero() {
		if e.condition, err = variable.CompileConfig(s.opts.Variables, a.If); err != nil {
			return e, err
		}
	}
	if a.Syslog != nil {
		e.sink, err = s.syslog(a)
		return e, err
	}
	if e.path, err = variable.CompileConfig(s.opts.Variables, a.Path); err != nil {
		return e, err
	}
	if path, static := e.path.Static(); static {
		e.sink, err = s.file(a, string(path))
	} else if a.Buffer > 0 {
		err = a.Pos.Errorf("buffered logs cannot have variables in name")
	}
	return e, err
}

func (s *Set) format(a *config.AccessLog) (*Format, error) {
	if f := s.formats[a.Format]; f != nil {
		return f, nil
	}
	for _, c := range s.opts.Formats {
		if c.Name == a.Format {
			f, err := Compile(s.opts.Variables, c)
			s.formats[a.Format] = f
			return f, err
		}
	}
	return nil, a.Pos.Errorf("unknown log format %q", a.Format)
}

func (s *Set) file(a *config.AccessLog, path string) (sink, error) {
	b := bufferOptions{size: a.Buffer, flush: a.Flush, gzip: a.Gzip}
	if o, ok := s.sinks[path]; ok {
		if o.buffer != b {
			return nil, a.Pos.Errorf("access_log %q already defined with conflicting parameters", path)
		}
		return o.sink, nil
	}
	f, err := s.opts.Outputs.OpenFile(path)
	if err != nil {
		return nil, at(a.Pos, err)
	}
	report := &reporter{log: s.opts.Errors}
	var made sink = &direct{f, report}
	if b.size > 0 {
		if made, err = newBuffered(f, b, report); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	s.sinks[path] = opened{made, b}
	return made, nil
}

func (s *Set) syslog(a *config.AccessLog) (sink, error) {
	o := errorlog.SyslogOptions{
		Server: a.Syslog.Server, Facility: a.Syslog.Facility, Tag: a.Syslog.Tag, NoHost: a.Syslog.NoHost,
	}
	if a.Syslog.Severity != "" {
		var err error
		if o.Severity, err = errorlog.ParseLevel(a.Syslog.Severity); err != nil {
			return nil, at(a.Pos, err)
		}
	}
	key := fmt.Sprintf("syslog:%+v", o)
	if known, ok := s.sinks[key]; ok {
		return known.sink, nil
	}
	sender, err := s.opts.Outputs.OpenSyslog(o)
	if err != nil {
		return nil, at(a.Pos, err)
	}
	made := &direct{sender, &reporter{log: s.opts.Errors}}
	s.sinks[key] = opened{sink: made}
	return made, nil
}

func (s *Set) rootExists(src variable.Source) bool {
	return s.opts.RootExists == nil || s.opts.RootExists(src)
}

// borrow lends a buffer for one line.
func (s *Set) borrow() *[]byte {
	if b, ok := s.lines.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 1024)
	return &b
}

func (s *Set) giveBack(b *[]byte) {
	const keep = 32 << 10 // one odd line must not pin a large buffer
	if cap(*b) <= keep {
		s.lines.Put(b)
	}
}

// Close writes what is held back and gives all outputs back; nothing may be
// logged afterwards.
func (s *Set) Close() error {
	var errs []error
	for _, o := range s.sinks {
		errs = append(errs, o.sink.close())
	}
	clear(s.sinks)
	errs = append(errs, s.named.close())
	return errors.Join(errs...)
}

// at adds the place of a directive to an error.
func at(p config.Pos, err error) error {
	if p.IsZero() {
		return err
	}
	return fmt.Errorf("%w in %s", err, p)
}
