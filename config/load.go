package config

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names used where neither the operator nor Options says otherwise.
const (
	DefaultFile      = "/etc/weir/weir.conf"
	DefaultAccessLog = "/var/log/weir/access.log"
	DefaultErrorLog  = "/var/log/weir/error.log"
	DefaultStateDir  = "/var/lib/weir"
)

// Options say which configuration to load and what stands in for what it does
// not say. The zero Options load DefaultFile.
type Options struct {
	File    string // main file; relative to Prefix, or to the working directory without one
	Prefix  string // directory for relative names; that of File if empty
	Globals string // directives of the main context, as given to -g

	AccessLog string // access log where none is written
	ErrorLog  string // error log where none is written; "stderr" means the stream
	StateDir  string // directory of temporary files where none is written
	Hostname  string // what $hostname means in server_name

	DefaultPort uint16 // port of a server without listen; 80 for root, 8000 for others if zero

	ReadFile func(name string) ([]byte, error)      // os.ReadFile if nil
	Glob     func(pattern string) ([]string, error) // filepath.Glob if nil
}

// complete fills what was left empty.
func (o Options) complete() (*Options, error) {
	for _, def := range []struct {
		at *string
		v  string
	}{
		{&o.File, DefaultFile}, {&o.AccessLog, DefaultAccessLog},
		{&o.ErrorLog, DefaultErrorLog}, {&o.StateDir, DefaultStateDir},
	} {
		if *def.at == "" {
			*def.at = def.v
		}
	}
	var err error
	if o.Prefix != "" {
		if o.Prefix, err = filepath.Abs(o.Prefix); err != nil {
			return nil, &Error{Msg: "prefix: " + err.Error(), Err: err}
		}
		o.File = absolute(o.Prefix, o.File)
	}
	if o.File, err = filepath.Abs(o.File); err != nil {
		return nil, &Error{Msg: "main file: " + err.Error(), Err: err}
	}
	if o.Prefix == "" {
		o.Prefix = filepath.Dir(o.File)
	}
	if o.Hostname == "" {
		// A machine without a name only loses the meaning of $hostname.
		name, _ := os.Hostname()
		o.Hostname = strings.ToLower(name)
	}
	if o.DefaultPort == 0 {
		o.DefaultPort = 8000
		if os.Geteuid() == 0 {
			o.DefaultPort = 80
		}
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.Glob == nil {
		o.Glob = filepath.Glob
	}
	return &o, nil
}

// Load reads the main file and everything it includes and gives the model. The
// error is an *Error in nginx's words. Nothing but configuration files is
// opened: whether certificates, logs and folders are there is for others to see.
func Load(opts Options) (*Config, error) {
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	cfg := &Config{File: o.File, Prefix: withSlash(o.Prefix), ConfPrefix: withSlash(filepath.Dir(o.File))}
	p := &parser{opts: o, base: cfg.ConfPrefix}
	tree, err := p.parseGlobals(o.Globals)
	if err != nil {
		return nil, err
	}
	file, err := p.parseFile(o.File, Pos{}, 0)
	if err != nil {
		return nil, err
	}
	cfg.Files = p.files
	b := &builder{opts: o, cfg: cfg, rows: rowIndex()}
	if err := b.build(append(tree, file...)); err != nil {
		return nil, err
	}
	cfg.sortRemarks()
	return cfg, nil
}

// sortRemarks puts notes and warnings into the order of the files, which is not
// that in which blocks are walked.
func (c *Config) sortRemarks() {
	order := map[string]int{}
	for i, f := range c.Files {
		order[f.Name] = i + 1
	}
	compare := func(a, b Pos) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line))
	}
	slices.SortStableFunc(c.Notes, func(a, b Note) int { return compare(a.Pos, b.Pos) })
	slices.SortStableFunc(c.Warnings, func(a, b Warning) int { return compare(a.Pos, b.Pos) })
}

func withSlash(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }

// build fills the model from the tree and then looks at the whole of it.
func (b *builder) build(tree []*Directive) error {
	main := &scope{builder: b, in: InMain, seen: map[string]bool{}, main: &b.cfg.Main}
	log := ErrorLog{Path: b.opts.ErrorLog, Level: "error"}
	if log.Path == "stderr" {
		log = ErrorLog{Stderr: true, Level: "error"}
	}
	main.main.ErrorLogs = []ErrorLog{log}
	if err := main.walk(tree); err != nil {
		return err
	}
	if b.cfg.HTTP == nil {
		return nil
	}
	if err := b.check(); err != nil {
		return err
	}
	b.lint()
	return nil
}
