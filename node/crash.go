package node

import (
	"errors"
	"os"
	"runtime/debug"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// recordCrashes has the runtime write the trace of a panic into the first error
// log file of cfg too: a daemon's stderr leads nowhere. It is called again when
// the file may be another one.
func (n *Node) recordCrashes(cfg *config.Config) {
	if !n.opts.OwnProcess {
		return
	}
	for _, l := range cfg.ErrorLogs {
		if l.Path == "" {
			continue
		}
		f, err := os.OpenFile(l.Path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			err = openError(l.Path, err)
		} else {
			err = errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close()) // it keeps a copy of f
		}
		if err != nil {
			n.journal.logf(errorlog.Warn, "a crash will not be recorded in the error log: %s", err)
		}
		return
	}
}
