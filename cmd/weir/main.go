// Command weir balances HTTP as its configuration says; see `weir -h`.
//
// This package reads the command line, turns signals into orders to a node, and
// an error into an exit code. Everything else is done by package node.
package main

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/weir-lb/weir/node"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run is weir with a command line; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	role := os.Getenv(roleVariable)
	if role == roleKeeper {
		return exitCode(keep()) // the node it belongs to hears of errors
	}
	if role == roleChecker && len(args) == 2 {
		return node.CheckStore(args[1], stderr)
	}
	if code, known := command(args[1:], stdout, stderr); known {
		return code
	}
	f, err := parseFlags(args[1:])
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 1
	}
	if f.version {
		f.printVersion(stderr)
		if !f.test {
			return 0
		}
	}
	o := f.options(stderr)
	switch {
	case f.signal != "":
		return exitCode(node.Signal(o, f.signal))
	case f.test:
		c := node.CheckOptions{Quiet: f.quiet}
		if f.dump {
			c.Dump = stdout
		}
		return exitCode(node.Check(o, c))
	}
	return serve(args, o, role == roleDaemon)
}

// serve runs a node until a signal ends it, in the background if the
// configuration says so.
func serve(args []string, o node.Options, daemon bool) int {
	if !daemon && node.WantsDaemon(o) {
		if err := startDaemon(args); err != nil {
			fmt.Fprintf(o.Stderr, "weir: %s\n", err)
			return 1
		}
		return 0
	}
	if daemon {
		syscall.CloseOnExec(readyFD) // a keeper must not hold it
	}
	announcing := make(chan struct{})
	list := orders(daemon, announcing)
	o.Announcing = func() { close(announcing) }
	o.Ready = func() error {
		if daemon {
			return detach()
		}
		return nil
	}
	n, err := node.New(o)
	if err != nil {
		fmt.Fprintf(o.Stderr, "weir: %s\n", err)
		return 1
	}
	return exitCode(n.Run(list))
}

// options gives what the command line says to a node.
func (f *flags) options(stderr io.Writer) node.Options {
	return node.Options{
		File: f.file, Prefix: f.prefix, Globals: f.globals, ErrorLog: f.errorLog,
		Version:    version,
		Stderr:     stderr,
		Profile:    os.Getenv("WEIR_PPROF"),
		Keeper:     newKeeper,
		StoreCheck: newChecker,
		OwnProcess: true,
	}
}

// exitCode is 1 for an error that the node has told.
func exitCode(err error) int {
	if err != nil {
		return 1
	}
	return 0
}
