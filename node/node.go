package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/control"
)

// Node is one weir. Run is called once, from one goroutine.
type Node struct {
	opts     Options
	logs     *errorlog.Set
	journal  *journal
	balancer Balancer
	ground   *ground
	control  *control.Socket // nil without a data folder
	cluster  *cluster        // nil with a balancer that takes nothing of it
	keeper   *keeper
	account  *account // what the process has turned into; nil if it stayed what it was
	cfg      *config.Config
	pidFile  string

	generation uint64        // number of the generation that serves, from 1
	closed     chan struct{} // closed when nothing of the node runs any more
	waits      sync.WaitGroup
	stops      []stop // what has been started, in that order
}

// stop ends one thing that setup started.
type stop struct {
	name string // what failed, for the log
	run  func() error
}

// New returns a node that has not started.
func New(o Options) (*Node, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	set := errorlog.NewSet(errorlog.Options{Stderr: o.Stderr})
	return &Node{opts: o, logs: set, journal: openJournal(&o, set), closed: make(chan struct{})}, nil
}

// Run starts the node and follows orders until one of them ends it; a closed
// channel stops it. An error has been told when Run returns it.
func (n *Node) Run(orders <-chan Order) error {
	defer n.unwind()
	if err := n.start(); err != nil {
		n.journal.failed(&n.opts, err)
		return err
	}
	n.journal.quiet()
	if err := n.opts.Ready(); err != nil {
		n.journal.logf(errorlog.Alert, "%s", err)
	}
	return n.follow(orders)
}

// follow does one order after the other. What takes time (building a
// configuration, draining) goes on beside, so that a stop is never kept waiting.
func (n *Node) follow(orders <-chan Order) error {
	var built chan *candidate // the result of the reload in progress
	var drained chan error    // the result of Drain
	again := false            // another reload was ordered meanwhile
	for {
		select {
		case o, open := <-orders:
			if !open {
				o = Order{Verb: Stop, Cause: "no more orders"}
			}
			n.announce(o)
			switch {
			case o.Verb == Stop:
				n.abandon(built)
				n.journal.logf(errorlog.Notice, "exiting")
				return nil
			case o.Verb == Quit && drained == nil:
				drained = n.drain()
			case o.Verb == Reload && drained != nil:
				n.journal.logf(errorlog.Notice, "not reconfiguring: the process is shutting down")
			case o.Verb == Reload && built != nil:
				again = true
			case o.Verb == Reload:
				built = n.build()
			case o.Verb == Reopen:
				n.reopen()
			}
		case c := <-built:
			built = nil
			n.accept(c, drained != nil)
			if again && drained == nil {
				again, built = false, n.build()
			}
		case err := <-drained:
			n.abandon(built)
			n.journal.logf(errorlog.Notice, "exiting")
			return n.endOfDrain(err)
		}
	}
}

// abandon discards the result of a reload that nobody waits for any more.
func (n *Node) abandon(built chan *candidate) {
	if built == nil {
		return
	}
	go func() {
		if c := <-built; c.err == nil {
			c.generation.Discard() // its log is left to the end of the process
		}
	}()
}

// announce logs an order as nginx logs a signal.
func (n *Node) announce(o Order) {
	n.journal.logf(errorlog.Notice, "%s, %s", o.Cause, o.Verb.purpose())
	switch o.Verb {
	case Upgrade:
		n.journal.logf(errorlog.Error, "this version of weir cannot hand over to a new program; nothing has been done")
	case Winch:
		n.journal.logf(errorlog.Error, "this version of weir cannot stop accepting without ending; nothing has been done")
	}
}

// drain begins a graceful end, bounded by worker_shutdown_timeout.
func (n *Node) drain() chan error {
	n.journal.logf(errorlog.Notice, "gracefully shutting down")
	n.cluster.drains()
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if t := n.cfg.WorkerShutdown; t > 0 {
		ctx, cancel = context.WithTimeout(ctx, t)
	}
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- n.balancer.Drain(ctx)
	}()
	return done
}

// endOfDrain judges how a graceful end went. Requests that were cut off at the
// end of worker_shutdown_timeout are what the operator has asked for.
func (n *Node) endOfDrain(err error) error {
	if err == nil {
		return nil
	}
	if n.keeper != nil && errors.Is(err, fs.ErrPermission) {
		n.journal.logf(errorlog.Info, "left to the keeper: %s", err)
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		n.journal.logf(errorlog.Notice, "worker_shutdown_timeout is over, closing what is left: %s", err)
		return nil
	}
	n.journal.logf(errorlog.Alert, "%s", err)
	return fmt.Errorf("shutting down: %w", err)
}

// reopen opens the log files anew (USR1).
func (n *Node) reopen() {
	n.journal.logf(errorlog.Notice, "reopening logs")
	if n.keeper != nil {
		if err := n.keeper.ask(keeperLogs); err != nil {
			n.journal.logf(errorlog.Alert, "%s", err)
		}
	}
	if err := n.logs.Reopen(); err != nil {
		n.journal.logf(errorlog.Emerg, "%s", err)
	}
	n.recordCrashes(n.cfg)
}

// unwind stops what was started, the last first, and leaves the node closed.
func (n *Node) unwind() {
	for i := len(n.stops) - 1; i >= 0; i-- {
		if err := n.stops[i].run(); err != nil {
			n.journal.logf(errorlog.Alert, "%s: %s", n.stops[i].name, err)
		}
	}
	n.stops = nil
	close(n.closed)
	n.waits.Wait()
	if n.generation > 0 {
		n.journal.logf(errorlog.Notice, "exit")
	}
	if err := n.journal.close(); err != nil {
		n.journal.logf(errorlog.Alert, "closing the error log: %s", err)
	}
}
