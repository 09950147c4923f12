package node

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// FirstConfig is a configuration to begin with.
const FirstConfig = `events {}

http {
    upstream app {
        server 127.0.0.1:3000;
    }

    server {
        listen 8080;

        location / {
            proxy_pass http://app;
            proxy_set_header Host $host;
        }
    }
}
`

// load reads the configuration.
func (o *Options) load() (*config.Config, error) {
	cfg, err := o.Load(config.Options{
		File: o.File, Prefix: o.Prefix, Globals: o.Globals,
		ErrorLog: o.ErrorLog, DefaultPort: o.defaultPort,
	})
	if err != nil {
		return nil, err
	}
	// `-e stderr` reaches the configuration as a name; no file can have it, all
	// others are absolute. The http block shares the list of the main context.
	for i, l := range cfg.ErrorLogs {
		if l.Path == StderrLog {
			cfg.ErrorLogs[i] = config.ErrorLog{Stderr: true, Level: l.Level}
		}
	}
	makeDefaultDirs(cfg)
	return cfg, nil
}

// failed tells why a configuration cannot be used. Who has none yet is shown
// how to begin.
func (j *journal) failed(o *Options, err error) {
	j.logf(errorlog.Emerg, "%s", err)
	var ce *config.Error
	if errors.As(err, &ce) && ce.File == "" && errors.Is(err, fs.ErrNotExist) {
		j.say("to begin with, write this to the file and try it with -t:\n\n%s", FirstConfig)
	}
}

// remarks tells what the operator should know of a configuration that can be
// used. Directives that have no meaning for weir are listed or only counted.
func (j *journal) remarks(cfg *config.Config, list bool) {
	for _, w := range cfg.Warnings {
		j.logf(errorlog.Warn, "%s", w)
	}
	meaningless := 0
	for _, n := range cfg.Notes {
		switch {
		case n.State == config.Coming:
			j.logf(errorlog.Warn, "%s", n)
		case list || n.State == config.Supported:
			j.logf(errorlog.Notice, "%s", n)
		default:
			meaningless++
		}
	}
	if meaningless > 0 {
		j.logf(errorlog.Notice, "%d directives have no effect in weir; \"weir -t\" lists them", meaningless)
	}
}

// say writes a line without a level to stderr, and nowhere else.
func (j *journal) say(format string, args ...any) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.stderr != nil {
		// Nothing is left to tell of an stderr that cannot be written.
		_, _ = fmt.Fprintf(j.stderr, "weir: "+format+"\n", args...)
	}
}

// WantsDaemon reports whether the configuration says `daemon on`. It reports
// false for one that cannot be loaded; starting a node tells why.
func WantsDaemon(o Options) bool {
	if o.validate() != nil {
		return false
	}
	cfg, err := o.load()
	return err == nil && cfg.Daemon
}
