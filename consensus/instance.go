package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// instance is one run of the library over the log, from opening the store to its
// end. When it faults it is closed, and another one is opened.
type instance struct {
	o         *Options
	raft      *raft.Raft
	machine   *machine
	guard     *guard
	files     closingStore
	trans     raft.Transport
	layer     *streamLayer          // nil if the node is alone
	death     atomic.Pointer[death] // that of the last leader that died
	existed   bool                  // it was there before
	epoch     uint32                // the cluster is to have at least this one
	ready     atomic.Uint64         // the term in which this leader has applied what was agreed before
	faults    chan error            // the first, when it cannot go on
	outcomes  outcomes
	news      *bell
	gate      gate         // of writes, shut while another is to lead
	yielding  atomic.Int32 // calls of relinquish that are under way
	spreading *spreading
}

// openInstance opens the log. mux is nil if the node is alone.
func openInstance(o *Options, b *board, mux *streamMux, news *bell) (*instance, error) {
	words := &raftWords{o.Log}
	i := &instance{o: o, faults: make(chan error, 1), news: news, spreading: newSpreading()}
	files, snapshots, err := o.openStore(words)
	if err != nil {
		return nil, err
	}
	i.files = files
	votes := newBallots(files)
	var under store = votes
	if o.wrap != nil {
		under = o.wrap(under)
	}
	i.guard = newGuard(under, o.Timeouts.Store, i.fault)
	i.machine = newMachine(i.fault)
	i.machine.publish, i.machine.decode = i.publisher(b), o.decode
	if i.existed, err = raft.HasExistingState(i.guard, i.guard, snapshots); err != nil {
		return nil, errors.Join(err, i.closeFiles())
	}
	conf := o.raftConfig(words)
	if mux != nil {
		i.layer = mux.open(o.Addr)
		votes.self = o.address()
	}
	i.trans = o.transport(i.layer, words, func() error { return i.guard.do("write vote", votes.save) })
	if err = i.revive(conf, snapshots, b.newest()); err == nil {
		err = i.start(conf, snapshots)
	}
	if err != nil {
		return nil, errors.Join(err, closeTransport(i.trans), i.closeFiles())
	}
	i.raft.RegisterObserver(raft.NewObserver(nil, false, i.observe))
	news.ring()
	return i, nil
}

// publisher returns what is told of each state. The leader has work when the
// table of nodes changes.
func (i *instance) publisher(b *board) func(*State) {
	before := b.newest().nodes
	return func(s *State) {
		b.put(s)
		if !s.nodes.Same(before) {
			i.news.ring()
		}
		before = s.nodes
	}
}

// cachedEntries is how many entries of the log are at hand without the store: the
// last ones are sent to others and applied soon after they were stored.
const cachedEntries = 128

// start makes the library run. It may meet a broken store before it has
// returned, where it would panic; so the guard is armed, and start waits for
// either.
func (i *instance) start(conf *raft.Config, snapshots raft.SnapshotStore) error {
	entries, err := raft.NewLogCache(cachedEntries, i.guard)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	i.guard.armed.Store(true)
	go func() {
		defer close(done)
		err = caught(func() (err error) {
			i.raft, err = raft.NewRaft(conf, i.machine, entries, i.guard, snapshots, i.trans)
			return err
		})
	}()
	select {
	case <-done:
	case fault := <-i.faults:
		i.guard.release()
		<-done
		err = fault
		if i.raft != nil {
			i.raft.Shutdown()
		}
	}
	switch {
	case err != nil && !readable(snapshots):
		err = fmt.Errorf("%w: %w", ErrSnapshot, err)
	case err == nil && i.raft == nil:
		err = errStoreFaulted
	}
	return err
}

// readable reports whether there are no snapshots, or one that can be read.
func readable(snapshots raft.SnapshotStore) bool {
	list, err := snapshots.List()
	for _, meta := range list {
		_, r, openErr := snapshots.Open(meta.ID)
		if openErr != nil {
			continue
		}
		_, readErr := ReadSnapshot(r)
		if readErr = errors.Join(readErr, r.Close()); readErr == nil {
			return true
		}
	}
	return err == nil && len(list) == 0
}

// raftConfig returns the settings of the library.
func (o *Options) raftConfig(words *raftWords) *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(o.ID)
	conf.HeartbeatTimeout, conf.ElectionTimeout = o.Timeouts.Heartbeat, o.Timeouts.Heartbeat
	conf.LeaderLeaseTimeout = o.Timeouts.Lease
	conf.CommitTimeout = o.commitTimeout()
	conf.SnapshotInterval, conf.SnapshotThreshold, conf.TrailingLogs = time.Minute, 2048, 4096
	conf.BatchApplyCh = false     // it would void the time limit of Apply
	conf.ShutdownOnRemove = false // who is removed is told by the table of nodes
	conf.NoLegacyTelemetry = true
	conf.Logger = words.logger()
	return conf
}

// commitTimeout is how often an idle leader repeats itself. Nobody waits for that:
// see spread.
func (o *Options) commitTimeout() time.Duration {
	return o.Timeouts.Heartbeat / 2
}

// address is that of this node in the configuration of the log. A node that is
// alone has none; it gets one when it is opened with a cluster.
func (o *Options) address() string {
	if o.Addr == "" {
		return "alone"
	}
	return o.Addr
}

// observe rings for changes of the part that the node plays. It is asked about
// each observation by the library's goroutines, and wants none of them sent.
func (i *instance) observe(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
		i.news.ring()
	}
	return false
}

func (i *instance) fault(err error) {
	select {
	case i.faults <- err:
	default: // the first is the cause of the others
	}
}

// Why a command was not agreed on.
var (
	errNoLeader = errors.New("no leader is known")
	errMaybe    = errors.New("it may be agreed on yet")
)

// propose is that of engine.
func (i *instance) propose(ctx context.Context, entry []byte) (Result, error) {
	if err := i.gate.pass(ctx); err != nil {
		return Result{}, fmt.Errorf("%w: %w", errNoLeader, err)
	}
	limit := i.o.Timeouts.Write
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(time.Until(deadline), time.Millisecond)
	}
	future := i.raft.Apply(entry, limit)
	if err := i.outcomes.of(ctx, future.Error); err != nil {
		return Result{}, applied(err)
	}
	if r, ok := future.Response().(Result); ok {
		return r, nil
	}
	return Result{}, errMaybe // the machine has stopped; others may go on
}

// applied tells what an error of Apply means. That limit covers only the way
// into the library's queue.
func applied(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w: %w", errNoLeader, err)
	}
	return fmt.Errorf("%w: %w", errMaybe, err)
}

// verify is that of engine. What was acknowledged is in the state of whoever
// acknowledged it: this leader, or one before it, up to whom this one has come
// since it began to lead. That no other has begun in the meantime is what the
// others are asked.
func (i *instance) verify(ctx context.Context) (uint64, error) {
	term := i.raft.CurrentTerm()
	if i.ready.Load() != term {
		return 0, errNoLeader
	}
	index := i.machine.state().Index()
	if err := i.outcomes.of(ctx, i.raft.VerifyLeader().Error); err != nil {
		return 0, fmt.Errorf("%w: %w", errNoLeader, err)
	}
	return index, nil
}

// catchUp has a new leader apply what was agreed on before it, and the others
// learn that it was: the leader before may not have come to tell them.
func (i *instance) catchUp(ctx context.Context) error {
	term := i.raft.CurrentTerm()
	if i.ready.Load() == term {
		return nil
	}
	if err := i.outcomes.of(ctx, i.raft.Barrier(i.o.Timeouts.Write).Error); err != nil {
		return err
	}
	i.ready.Store(term)
	i.spread()
	return nil
}

func (i *instance) leads() bool { return i.raft.State() == raft.Leader }

// leader is that of engine. Who wants to be elected knows of no leader; but the
// library, which takes heartbeats beside its other work, may note as one the
// leader whose last heartbeat came amid the change, and for as long as nobody is
// elected would not forget it.
func (i *instance) leader() (NodeID, string) {
	if i.raft.State() == raft.Candidate {
		return "", ""
	}
	addr, id := i.raft.LeaderWithID()
	return NodeID(id), string(addr)
}

// servers is that of engine.
func (i *instance) servers() (list []server) {
	future := i.raft.GetConfiguration()
	if future.Error() != nil {
		return nil // it ends
	}
	for _, s := range future.Configuration().Servers {
		list = append(list, server{NodeID(s.ID), string(s.Address), s.Suffrage == raft.Voter})
	}
	return list
}

// close ends the instance; a leader hands over first, as far as it can. It
// returns when nothing of it is left, which a disk that hangs can delay.
func (i *instance) close() {
	if i.leads() && !i.guard.faulted.Load() {
		_ = i.transfer() // else the others elect one
	}
	i.kill()
}

// kill ends the instance without a word to others.
func (i *instance) kill() {
	_ = closeTransport(i.trans) // there is nothing it could fail at
	i.spreading.end()
	i.guard.release()
	i.outcomes.settle(i.o.Timeouts.Lease)
	_ = i.raft.Shutdown().Error() // never an error
	_ = i.closeFiles()            // it is closed, or was never sound
}

// closeFiles closes the store when nothing is under way in it any more.
func (i *instance) closeFiles() error {
	i.guard.faulted.Store(true)
	<-i.guard.settled()
	return caught(i.files.Close)
}
