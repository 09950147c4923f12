package node

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// journal is where a node speaks: the error log of the main context, and stderr
// as long as somebody waits for the outcome of a command. It is safe for
// concurrent use.
type journal struct {
	set *errorlog.Set

	mu     sync.RWMutex
	stderr io.Writer        // nil once the node is running
	echo   errorlog.Level   // messages up to this level go to stderr
	log    *errorlog.Logger // nil until there is one
	echoes bool             // log writes to stderr by itself
}

// openJournal begins a journal that writes to stderr, and to a first log file
// until the configuration has named another one. Only a file that was asked for
// is made, or missed when it cannot be opened: -t and -s are run by people who
// have no rights to the log, and by root, whose files weir could not write.
func openJournal(o *Options, set *errorlog.Set) *journal {
	j := &journal{set: set, stderr: o.Stderr, echo: errorlog.Warn}
	target := errorlog.Target{Level: errorlog.Notice, Path: o.errorLog()}
	if target.Path == StderrLog {
		target = errorlog.Target{Level: errorlog.Notice, Stderr: true}
	}
	if _, err := os.Stat(target.Path); o.ErrorLog == "" && err != nil {
		return j
	}
	log, err := set.Open([]errorlog.Target{target})
	switch {
	case err == nil:
		j.log, j.echoes = log, target.Stderr
	case o.ErrorLog != "":
		j.logf(errorlog.Alert, "could not open error log file: %s", err)
	}
	return j
}

// logf writes one message at a level.
func (j *journal) logf(level errorlog.Level, format string, args ...any) {
	j.write(level, 0, fmt.Sprintf(format, args...))
}

// write has the form that errorlog.NewFunc takes.
func (j *journal) write(level errorlog.Level, conn uint64, message string) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.stderr != nil && level <= j.echo && !j.echoes {
		// Nothing is left to tell of an stderr that cannot be written.
		_, _ = fmt.Fprintf(j.stderr, "weir: [%s] %s\n", level, message)
	}
	j.log.Log(level, conn, message)
}

// logger gives a logger for the parts of the node; it follows the journal
// through every reload.
func (j *journal) logger() *errorlog.Logger { return errorlog.NewFunc(errorlog.Debug, j.write) }

// quiet ends the echo on stderr: the command that started the node is done.
func (j *journal) quiet() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stderr = nil
}

// replace makes log the place of all further messages and closes the former.
func (j *journal) replace(log *errorlog.Logger, echoes bool) error {
	j.mu.Lock()
	old := j.log
	j.log, j.echoes = log, echoes
	j.mu.Unlock()
	return old.Close()
}

// close gives the outputs back. Later messages only reach stderr.
func (j *journal) close() error { return j.replace(nil, false) }

// openMainLog opens the error log that cfg names for the main context, and tells
// whether it includes stderr.
func openMainLog(set *errorlog.Set, cfg *config.Config) (*errorlog.Logger, bool, error) {
	var targets []errorlog.Target
	stderr := false
	for _, spec := range cfg.ErrorLogs {
		level, err := errorlog.ParseLevel(spec.Level)
		if err != nil {
			return nil, false, fmt.Errorf("%w in %s", err, spec.Pos)
		}
		t := errorlog.Target{Level: level, Path: spec.Path, Stderr: spec.Stderr}
		if s := spec.Syslog; s != nil {
			t.Syslog = &errorlog.SyslogOptions{Server: s.Server, Facility: s.Facility, Tag: s.Tag, NoHost: s.NoHost}
		}
		stderr = stderr || spec.Stderr
		targets = append(targets, t)
	}
	log, err := set.Open(targets)
	return log, stderr, err
}
