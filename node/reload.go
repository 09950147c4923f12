package node

import (
	"errors"
	"os"
	"reflect"
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// candidate is a configuration built to take the place of the one that serves,
// or the reason why there is none.
type candidate struct {
	cfg        *config.Config
	log        *errorlog.Logger
	echoes     bool
	generation Generation
	err        error
}

// build makes a candidate of the files as they are now, beside what serves.
func (n *Node) build() chan *candidate {
	n.journal.logf(errorlog.Notice, "reconfiguring")
	built := make(chan *candidate, 1)
	go func() {
		c := &candidate{}
		c.err = c.prepare(n)
		built <- c
	}()
	return built
}

// prepare does all that can fail. It leaves nothing open on an error.
func (c *candidate) prepare(n *Node) (err error) {
	if c.cfg, err = n.opts.load(); err != nil {
		return err
	}
	if c.log, c.echoes, err = openMainLog(n.logs, c.cfg); err != nil {
		return err
	}
	if c.generation, err = n.balancer.Prepare(c.cfg); err != nil {
		return errors.Join(err, c.log.Close())
	}
	return nil
}

// discard gives back what a candidate holds.
func (c *candidate) discard(j *journal) {
	c.generation.Discard()
	if err := c.log.Close(); err != nil {
		j.logf(errorlog.Alert, "closing the error log of a discarded configuration: %s", err)
	}
}

// accept puts a candidate in force, or tells why everything stays as it is. A
// node that is leaving takes none.
func (n *Node) accept(c *candidate, leaving bool) {
	err := c.err
	if err == nil && leaving {
		c.discard(n.journal)
		return
	}
	if err == nil {
		if err = n.movePID(c.cfg); err != nil {
			c.discard(n.journal)
		}
	}
	if err != nil {
		n.journal.logf(errorlog.Emerg, "%s", err)
		n.journal.logf(errorlog.Notice, "the configuration of before stays in force")
		return
	}
	former := n.cfg
	n.cfg = c.cfg
	if err := n.journal.replace(c.log, c.echoes); err != nil {
		n.journal.logf(errorlog.Alert, "closing the former error log: %s", err)
	}
	n.journal.remarks(c.cfg, false)
	n.warnFixed(former, c.cfg)
	n.applyLimits(c.cfg)
	n.recordCrashes(c.cfg)
	n.retire(c.generation.Start())
	n.cluster.configure(c.cfg)
}

// movePID follows a pid directive that names another file.
func (n *Node) movePID(cfg *config.Config) error {
	former, next := n.pidFile, n.pidPath(cfg)
	if former == next {
		return nil
	}
	if next != "" {
		if err := writePID(next, os.Getpid()); err != nil {
			return err
		}
	}
	n.pidFile = next
	if err := removePID(former, os.Getpid()); err != nil {
		n.journal.logf(errorlog.Alert, "%s", err)
	}
	return nil
}

// warnFixed tells of changes that only count at the start of the process.
func (n *Node) warnFixed(former, next *config.Config) {
	if former.Data != next.Data || !reflect.DeepEqual(clusterLines(former), clusterLines(next)) {
		n.journal.logf(errorlog.Warn, `a changed "data" or "cluster" takes effect at the next start, not by a reload`)
	}
	if !n.opts.OwnProcess {
		return
	}
	if former.User != next.User || former.Group != next.Group {
		n.journal.logf(errorlog.Warn, `a changed "user" takes effect at the next start, not by a reload`)
	}
	if !slices.Equal(former.Env, next.Env) {
		n.journal.logf(errorlog.Warn, `a changed "env" takes effect at the next start, not by a reload`)
	}
	if former.Daemon != next.Daemon {
		n.journal.logf(errorlog.Warn, `a changed "daemon" takes effect at the next start, not by a reload`)
	}
}

// clusterLines gives the cluster block without its place in the file.
func clusterLines(cfg *config.Config) config.Cluster {
	if cfg.Cluster == nil {
		return config.Cluster{}
	}
	lines := *cfg.Cluster
	lines.Pos = config.Pos{}
	return lines
}

// retire notes that a generation has taken over, and tells when the one before
// has served its last request.
func (n *Node) retire(gone <-chan struct{}) {
	old := n.generation
	n.generation++
	n.journal.logf(errorlog.Notice, "generation %d serves", n.generation)
	if gone == nil {
		return
	}
	n.waits.Go(func() {
		select {
		case <-gone:
			n.journal.logf(errorlog.Notice, "generation %d exited with code 0", old)
		case <-n.closed:
		}
	})
}
