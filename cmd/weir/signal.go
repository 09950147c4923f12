package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/weir-lb/weir/node"
)

// queuedSignals is how many signals may wait while an order is carried out; the
// runtime drops what does not fit.
const queuedSignals = 16

// orders gives the signals of the process as orders to a node, from now on and
// until the process ends. Until announcing is closed nobody takes orders, and one
// to end ends the process on the spot: a start may be waiting for a name server.
// After that they wait until the node takes them; it leaves no pid file behind.
// Only a daemon heeds SIGWINCH: in the foreground the terminal sends it when its
// window changes.
func orders(daemon bool, announcing <-chan struct{}) <-chan node.Order {
	// Whoever reads our stderr may go away without taking weir along.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, queuedSignals)
	heeded := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
	if daemon {
		heeded = append(heeded, syscall.SIGWINCH)
	}
	signal.Notify(signals, heeded...)
	list := make(chan node.Order)
	go func() {
		for s := range signals {
			sig, ok := s.(syscall.Signal)
			if !ok {
				continue
			}
			o := order(sig)
			select {
			case <-announcing:
			default:
				if o.Verb == node.Stop || o.Verb == node.Quit {
					os.Exit(1)
				}
			}
			list <- o
		}
	}()
	return list
}

// order translates a signal as nginx does.
func order(sig syscall.Signal) node.Order {
	o := node.Order{Verb: node.Stop}
	name := "SIGTERM"
	switch sig {
	case syscall.SIGINT:
		name = "SIGINT"
	case syscall.SIGQUIT:
		name, o.Verb = "SIGQUIT", node.Quit
	case syscall.SIGHUP:
		name, o.Verb = "SIGHUP", node.Reload
	case syscall.SIGUSR1:
		name, o.Verb = "SIGUSR1", node.Reopen
	case syscall.SIGUSR2:
		name, o.Verb = "SIGUSR2", node.Upgrade
	case syscall.SIGWINCH:
		name, o.Verb = "SIGWINCH", node.Winch
	}
	o.Cause = fmt.Sprintf("signal %d (%s) received", int(sig), name)
	return o
}
