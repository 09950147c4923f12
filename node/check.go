package node

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// CheckOptions say what Check writes beside warnings and errors.
type CheckOptions struct {
	Quiet bool      // nothing
	Dump  io.Writer // the text of every file read; may be nil
}

// Check tests a configuration with all files it names, and starts nothing
// (-t, -T). The error has been told on stderr when it returns.
func Check(o Options, c CheckOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	set := errorlog.NewSet(errorlog.Options{Stderr: o.Stderr})
	j := openJournal(&o, set)
	if !c.Quiet {
		j.echo = errorlog.Notice
	}
	cfg, err := o.load()
	file := o.File
	if err == nil {
		file = cfg.File
		err = o.checkLoaded(cfg, set, j, c.Quiet)
	}
	if err != nil {
		j.failed(&o, err)
		j.say("configuration file %s test failed", file)
		return fmt.Errorf("configuration file %s: %w", file, err)
	}
	if !c.Quiet {
		j.say("configuration file %s test is successful", file)
	}
	if c.Dump != nil {
		if err := cfg.DumpFiles(c.Dump); err != nil {
			return fmt.Errorf("dumping the configuration: %w", err)
		}
	}
	return j.close()
}

// checkLoaded tests what only the machine can tell of a configuration.
func (o *Options) checkLoaded(cfg *config.Config, set *errorlog.Set, j *journal, quiet bool) error {
	j.remarks(cfg, !quiet)
	if !quiet {
		j.say("the configuration file %s syntax is ok", cfg.File)
	}
	account, err := checkUser(cfg, os.Geteuid(), j)
	if err != nil {
		return err
	}
	if err := checkGround(cfg); err != nil {
		return err
	}
	missing := missingLogs(cfg)
	err = o.openAll(cfg, set, j)
	if account == nil {
		return err
	}
	// Logs that the test makes must not stay root's: weir may be running already.
	for _, path := range missing {
		err = errors.Join(err, account.own(path, false))
	}
	return err
}

// openAll opens everything that cfg names, and closes it again.
func (o *Options) openAll(cfg *config.Config, set *errorlog.Set, j *journal) error {
	log, _, err := openMainLog(set, cfg)
	if err != nil {
		return err
	}
	b, err := o.NewBalancer(BalancerOptions{Logs: set, Log: j.logger(), Version: o.Version})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	return errors.Join(b.Check(cfg), b.Close(), log.Close())
}

// missingLogs gives the log files of cfg that are not there.
func missingLogs(cfg *config.Config) []string {
	var list []string
	for _, u := range fileUses(cfg) {
		if _, err := os.Lstat(u.path); u.write && errors.Is(err, os.ErrNotExist) {
			list = append(list, u.path)
		}
	}
	return list
}
