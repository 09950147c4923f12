package main

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/node"
)

// version is that of the next release.
const version = "0.1.0"

// printVersion answers -v, -h and -V.
func (f *flags) printVersion(w io.Writer) {
	fmt.Fprintf(w, "weir version: weir/%s\n", version)
	if f.help {
		printHelp(w)
	}
	if f.configure {
		printBuild(w)
	}
}

// printBuild tells how weir was built. Its last line has the form of nginx's, in which
// scripts look for the place of the configuration file.
func printBuild(w io.Writer) {
	fmt.Fprintf(w, "built with %s for %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				fmt.Fprintf(w, " from %s", s.Value)
			}
		}
	}
	fmt.Fprintf(w, "\nTLS SNI support enabled\n")
	fmt.Fprintf(w, "configure arguments: --prefix=%s --conf-path=%s --error-log-path=%s --http-log-path=%s --pid-path=%s\n",
		filepath.Dir(config.DefaultFile), config.DefaultFile, config.DefaultErrorLog, config.DefaultAccessLog, node.DefaultPID)
}

// printHelp lists the options.
func printHelp(w io.Writer) {
	fmt.Fprintf(w, `Usage: weir [-?hvVtTq] [-s signal] [-p prefix]
            [-e filename] [-c filename] [-g directives]
       weir explain [-c filename] [-H field]... [-a address] [method] URL
       weir keygen filename | weir keygen sticky filename
       weir upstream command | weir cluster command

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a running weir: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: the directory of the configuration file, %s)
  -e filename   : set error log file (default: %s)
  -c filename   : set configuration file (default: %s)
  -g directives : set global directives out of configuration file

Commands:
  explain       : tell which way a request takes, up to the server, and why;
                  -H adds a field to it, -a is the client's address
  keygen        : make the secret of a cluster, in a new file
  keygen sticky : make a key for sticky cookies, in a new file
  upstream      : list and change the servers of a running weir; -h tells more
  cluster       : how a cluster fares, and changes to it; -h tells more

`, filepath.Dir(config.DefaultFile), config.DefaultErrorLog, config.DefaultFile)
}
