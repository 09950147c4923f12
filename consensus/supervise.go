package consensus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/weir-lb/weir/config/durable"
)

// Why an instance ended.
var (
	// errRefused says that the cluster does not want this node as it is. Only an
	// operator can change that.
	errRefused = errors.New("the cluster refuses this node")
	errRemoved = fmt.Errorf("%w: it was removed", errRefused)
	// errMissed says that the cluster was recovered without this node, whose log
	// is no longer that of the cluster.
	errMissed = errors.New("the cluster was recovered without this node")
	errSpace  = errors.New("the disk is almost full")
	errAgain  = errors.New("agreement begins anew")
)

// supervise keeps an instance running until c is closed.
func (c *Consensus) supervise(mux *streamMux) {
	if mux != nil {
		defer mux.close()
	}
	pause := c.o.Timeouts.Retry
	for c.ctx.Err() == nil {
		began := time.Now()
		err := c.run(mux)
		if c.ctx.Err() != nil {
			break
		}
		if final(err) {
			break
		}
		if time.Since(began) > 2*maxRetry || errors.Is(err, errAgain) {
			pause = c.o.Timeouts.Retry
		}
		c.sleep(c.ctx, pause)
		pause = min(2*pause, maxRetry)
	}
	<-c.ctx.Done()
	c.use(nil, errClosed)
}

// final reports whether only an operator can make the node take part again.
func final(err error) bool { return errors.Is(err, errRefused) || errors.Is(err, ErrNewer) }

// interrupt says, once and before anything is waited for, that this node takes
// no part any more for now.
func (c *Consensus) interrupt(err error) {
	if c.ctx.Err() != nil {
		return
	}
	c.use(nil, err)
	switch {
	case errors.Is(err, errAgain) || !c.worsened(err):
	case final(err):
		c.o.Log.Error(fmt.Sprintf("agreement stops on this node: %v; the last agreed state stays in use%s", err, remedy(err)))
	default:
		c.o.Log.Error(fmt.Sprintf("agreement is interrupted on this node: %v; the last agreed state stays in use", err))
	}
}

// remedy tells what an operator can do about what is final.
func remedy(err error) string {
	switch {
	case errors.Is(err, errRemoved):
		return ". To have it join again, as a new node, stop it, empty its data folder and start it"
	case errors.Is(err, errRefused):
		return ". To have it join again, as a new node, stop it, remove it from the cluster, empty its data folder and start it"
	}
	return ""
}

// worsened notes what interrupts agreement. It reports whether that is other
// trouble than it was before: the same is met again each time the log is opened.
func (c *Consensus) worsened(err error) bool {
	what := err.Error()
	var number syscall.Errno
	switch {
	case errors.Is(err, errSpace):
		what = errSpace.Error() // however much is left
	case errors.As(err, &number):
		what = number.Error() // whatever it was that the disk could not do
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	other := c.trouble != what
	c.trouble = what
	return other
}

// mended reports, once, that agreement was interrupted and is no more.
func (c *Consensus) mended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.trouble != ""
	c.trouble = ""
	return was
}

// sleep waits. It reports whether ctx goes on.
func (c *Consensus) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// run opens the log and follows it until c is closed, or the instance faults.
func (c *Consensus) run(mux *streamMux) error {
	lost, err := c.prepare()
	if err == nil && mux != nil {
		err = c.meet(lost)
	}
	var i *instance
	if err == nil {
		i, err = openInstance(&c.o, c.board, mux, &c.news)
	}
	if err != nil {
		c.interrupt(err)
		return c.putAside(err)
	}
	c.use(i, nil)
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { c.govern(ctx, i) })
	if mux != nil {
		work.Go(func() { c.watchLeader(ctx, i) })
		work.Go(func() { i.keepSpares(ctx) })
	}
	if !i.existed {
		work.Go(func() { c.found(ctx, i, mux == nil) })
	}
	select {
	case err = <-i.faults:
		c.interrupt(err)
		cancel()
		i.kill()
	case <-c.ctx.Done():
		i.close()
	}
	work.Wait()
	if err == nil {
		return errClosed
	}
	return c.putAside(err)
}

// putAside moves the log out of the way if err says that it is damaged, or no
// longer that of the cluster, and notes that the node lost it. It returns err.
func (c *Consensus) putAside(err error) error {
	damaged := errors.Is(err, ErrStoreDamaged) || errors.Is(err, ErrSnapshot) || errors.Is(err, ErrDamaged) || errors.Is(err, errMissed)
	if !damaged || c.o.Dir == "" {
		return err
	}
	to, moveErr := c.o.quarantine(c.o.raftDir())
	if moveErr == nil {
		moveErr = durable.MakeFolder(c.o.raftDir(), 0o700)
	}
	if moveErr == nil {
		moveErr = durable.WriteFile(c.o.lostPath(), []byte(err.Error()+"\n"), 0o600)
	}
	if moveErr != nil {
		c.o.Log.Error(fmt.Sprintf("a log that is of no use cannot be put aside: %v", moveErr))
	} else {
		c.o.Log.Warn(fmt.Sprintf("the log was moved to %s; this node gets it anew", to))
	}
	return err
}

// lostPath is a file that is there while the node has lost its log, and with it
// its memory of whom it voted for.
func (o *Options) lostPath() string { return filepath.Join(o.raftDir(), "lost") }

// prepare looks at the disk before the log is opened. lost tells that this node
// had a log, and has none any more.
func (c *Consensus) prepare() (lost bool, err error) {
	if c.o.Dir == "" {
		return false, nil
	}
	if free, err := c.o.free(c.o.Dir); err == nil && free < lowSpace {
		return false, fmt.Errorf("%w: %d MiB are left", errSpace, free>>20)
	}
	if err := durable.MakeFolder(c.o.raftDir(), 0o700); err != nil {
		return false, err
	}
	if err := c.o.writable(c.o.raftDir()); err != nil {
		return false, err
	}
	if err := c.o.Check(c.o.Dir); err != nil {
		return false, err
	}
	if err := c.o.removeLeftovers(); err != nil {
		return false, err
	}
	_, err = os.Stat(c.o.lostPath())
	if err == nil {
		return true, nil
	}
	_, err = os.Stat(c.o.storePath())
	return errors.Is(err, fs.ErrNotExist) && c.State().Index() > 0, nil
}

// found begins the log of a node that has none: alone at once, in a cluster when
// all who are expected agree.
func (c *Consensus) found(ctx context.Context, i *instance, alone bool) {
	if !alone {
		c.form(ctx, i)
		return
	}
	if err := i.bootstrap([]server{{id: c.o.ID, addr: c.o.address()}}); err != nil {
		i.fault(err)
	}
}

// bootstrap begins a log in which these nodes vote.
func (i *instance) bootstrap(voters []server) error {
	return i.raft.BootstrapCluster(configuration(voters)).Error()
}

func configuration(voters []server) (conf raft.Configuration) {
	for _, v := range voters {
		conf.Servers = append(conf.Servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(v.id), Address: raft.ServerAddress(v.addr)})
	}
	return conf
}
