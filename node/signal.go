package node

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// Signal sends one of the signals of -s (stop, quit, reopen, reload) to the
// process whose pid file the configuration names. The error has been told on
// stderr when it returns.
func Signal(o Options, name string) error {
	if err := o.validate(); err != nil {
		return err
	}
	var sig syscall.Signal
	switch name {
	case "stop":
		sig = syscall.SIGTERM
	case "quit":
		sig = syscall.SIGQUIT
	case "reopen":
		sig = syscall.SIGUSR1
	case "reload":
		sig = syscall.SIGHUP
	default:
		return fmt.Errorf("unknown signal %q", name)
	}
	set := errorlog.NewSet(errorlog.Options{Stderr: o.Stderr})
	j := openJournal(&o, set)
	cfg, err := o.load()
	if err != nil {
		j.failed(&o, err)
		return errors.Join(err, j.close())
	}
	return errors.Join(o.deliver(cfg, sig, set, j), j.close())
}

// deliver sends the signal, and logs where cfg wants it.
func (o *Options) deliver(cfg *config.Config, sig syscall.Signal, set *errorlog.Set, j *journal) error {
	// A log that was moved away is for the running weir to make anew.
	existing := *cfg
	existing.ErrorLogs = slices.DeleteFunc(slices.Clone(cfg.ErrorLogs), func(l config.ErrorLog) bool {
		_, err := os.Stat(l.Path)
		return l.Path != "" && err != nil
	})
	log, echoes, err := openMainLog(set, &existing)
	if err == nil {
		err = j.replace(log, echoes)
	}
	if err != nil {
		j.logf(errorlog.Emerg, "%s", err)
		return err
	}
	j.logf(errorlog.Notice, "signal process started")
	name := cfg.PID
	if name == "" {
		name = DefaultPID
	}
	if err := sendSignal(name, sig); err != nil {
		level := errorlog.Error
		if errors.Is(err, errKill) {
			level = errorlog.Alert
		}
		j.logf(level, "%s", err)
		return err
	}
	return nil
}
