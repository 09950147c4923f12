package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// DefaultPID is the pid file of a configuration without a pid directive.
const DefaultPID = "/run/weir.pid"

// Ports of a server without listen, with and without the rights of root.
const (
	privilegedPort   = 80
	unprivilegedPort = 8000
)

// StderrLog as Options.ErrorLog stands for the standard error stream.
const StderrLog = "stderr"

// Options say what a node runs.
type Options struct {
	File     string // main configuration file; config.DefaultFile if empty
	Prefix   string // directory for relative names, that of File among them; the directory of File if empty
	Globals  string // directives of the main context that belong to no file
	ErrorLog string // until the configuration names one, and if it names none; config.DefaultErrorLog if empty
	Version  string // for the log

	// Stderr hears warnings and errors until the node has started, and the
	// lines of `error_log stderr` after that.
	Stderr io.Writer

	// Profile is the loopback address of an HTTP server for net/http/pprof;
	// empty for none.
	Profile string

	// Keeper makes the command of a process that calls Keep with its standard
	// streams; see keeper.go. Nil if there is none.
	Keeper func() (*exec.Cmd, error)

	// StoreCheck makes the command of a process that exits as CheckStore says of
	// a data folder: a badly damaged store can end the process that looks. Nil:
	// the node looks itself.
	StoreCheck func(dir string) (*exec.Cmd, error)

	// OwnProcess lets the node change what belongs to the whole process: user,
	// environment, limits, number of CPUs. At most one node of a process may.
	OwnProcess bool

	// Announcing is called before the pid file appears; may be nil. Whoever
	// reads that file may send signals: orders are not to be lost from there on.
	Announcing func()

	// Ready is called once the node serves and its pid file is there; may be
	// nil. Its error is logged, the node goes on.
	Ready func() error

	// NewBalancer makes the balancer; that of package lb if nil.
	NewBalancer func(BalancerOptions) (Balancer, error)

	// Load reads the configuration; config.Load if nil.
	Load func(config.Options) (*config.Config, error)

	// defaultPort is that of a server without listen. It is fixed at the start:
	// a reload, when the rights are gone, must not choose another one.
	defaultPort uint16
}

// BalancerOptions is what a balancer gets of its node.
type BalancerOptions struct {
	Logs    *errorlog.Set    // the node reopens and closes it
	Log     *errorlog.Logger // what belongs to no server; follows reloads
	Version string
	// Clustered says that the node is to share with others what they all need to
	// know.
	Clustered bool
}

// validate fills in the defaults and makes every name absolute: a daemon or a
// reload must not depend on the directory in which the command was typed.
func (o *Options) validate() error {
	if o.Stderr == nil {
		return errors.New("node: no Stderr")
	}
	if o.NewBalancer == nil {
		o.NewBalancer = newDataPlane
	}
	if o.File == "" {
		o.File = config.DefaultFile
	}
	var err error
	if o.Prefix != "" {
		if o.Prefix, err = filepath.Abs(o.Prefix); err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
	}
	if o.File, err = absolute(o.Prefix, o.File); err != nil {
		return fmt.Errorf("main file: %w", err)
	}
	if o.ErrorLog != "" && o.ErrorLog != StderrLog {
		prefix := o.Prefix
		if prefix == "" {
			prefix = filepath.Dir(o.File)
		}
		if o.ErrorLog, err = absolute(prefix, o.ErrorLog); err != nil {
			return fmt.Errorf("error log: %w", err)
		}
	}
	o.defaultPort = unprivilegedPort
	if os.Geteuid() == 0 {
		o.defaultPort = privilegedPort
	}
	o.setFunctions()
	return nil
}

func (o *Options) setFunctions() {
	if o.Load == nil {
		o.Load = config.Load
	}
	if o.Announcing == nil {
		o.Announcing = func() {}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
}

// absolute gives name below dir, or below the working directory without one.
func absolute(dir, name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return filepath.Abs(name)
}

// errorLog gives the log for what no configuration has a say in.
func (o *Options) errorLog() string {
	if o.ErrorLog == "" {
		return config.DefaultErrorLog
	}
	return o.ErrorLog
}
