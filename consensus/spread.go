package consensus

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// spreading counts, by follower, the writes of which it has not been told yet
// that they are agreed on. Who has any is being told.
type spreading struct {
	mu    sync.Mutex
	hurry map[NodeID]uint64
	ended chan struct{} // closed when nobody is told anything any more
	work  sync.WaitGroup
}

func newSpreading() *spreading {
	return &spreading{hurry: map[NodeID]uint64{}, ended: make(chan struct{})}
}

// add notes one more write. It has tell run if that is the first.
func (s *spreading) add(id NodeID, tell func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return
	default:
	}
	if s.hurry[id]++; s.hurry[id] == 1 {
		s.work.Go(tell)
	}
}

// sleep waits for a while. It reports whether somebody is to be told yet.
func (s *spreading) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ended:
		return false
	}
}

// end has nobody told any more. The connections are closed by then.
func (s *spreading) end() {
	s.mu.Lock()
	close(s.ended)
	s.mu.Unlock()
	s.work.Wait()
}

// pending returns how many writes there are.
func (s *spreading) pending(id NodeID) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hurry[id]
}

// clear forgets the writes if there are no more than n. It reports whether it did.
func (s *spreading) clear(id NodeID, n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hurry[id] > n {
		return false
	}
	delete(s.hurry, id)
	return true
}

// spread has the followers learn at once what is agreed on. The library tells
// them with the next entry, or up to twice its CommitTimeout later, for which the
// node that was asked would wait. A message without entries says it at no cost to
// anybody's disk.
func (i *instance) spread() {
	for _, s := range i.servers() {
		if s.id != i.o.ID {
			i.spreading.add(s.id, func() { i.tell(s) })
		}
	}
}

// firstPause is how long a follower that does not have an entry yet is given.
const firstPause = time.Millisecond

// tell tells one follower, until it knows of all writes. One that does not have
// the entries yet is told again soon. One that cannot be reached is left in peace
// for a while, in which the library finds it if it comes back.
func (i *instance) tell(to server) {
	for pause := firstPause; ; {
		n := i.spreading.pending(to.id)
		behind, err := i.tellOnce(to)
		switch {
		case err != nil:
			i.spreading.sleep(i.o.commitTimeout())
			i.spreading.clear(to.id, math.MaxUint64)
			return
		case behind && pause < i.o.commitTimeout() && i.spreading.sleep(pause):
			pause *= 2
		case i.spreading.clear(to.id, n):
			return
		default:
			pause = firstPause
		}
	}
}

// tellOnce tells a follower what is agreed on, if this node leads. It reports
// whether the follower does not have all of that yet.
func (i *instance) tellOnce(to server) (behind bool, err error) {
	message := i.agreedOn()
	if message == nil {
		return false, nil
	}
	var answer raft.AppendEntriesResponse
	err = i.send(to, message, &answer)
	return err == nil && !answer.Success && answer.Term == message.Term, err
}

func (i *instance) send(to server, message *raft.AppendEntriesRequest, answer *raft.AppendEntriesResponse) error {
	return i.trans.AppendEntries(raft.ServerID(to.id), raft.ServerAddress(to.addr), message, answer)
}

// agreedOn returns the message of a leader that says up to which entry the log is
// agreed on, or nil if this node does not lead, or does not know it yet. It is one
// that the library could send: an entry of the leader's own term is agreed on, so
// the last one that is has this term, too. Who has another entry there refuses it,
// and who has it takes no word on those behind it.
func (i *instance) agreedOn() *raft.AppendEntriesRequest {
	term := i.ready.Load()
	index := i.raft.CommitIndex()
	if term == 0 || !i.leads() || i.raft.CurrentTerm() != term {
		return nil
	}
	return &raft.AppendEntriesRequest{RPCHeader: i.header(), Term: term, PrevLogEntry: index, PrevLogTerm: term, LeaderCommitIndex: index}
}

// header tells from whom a message is.
func (i *instance) header() raft.RPCHeader {
	id := raft.ServerID(i.o.ID)
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: i.trans.EncodePeer(id, i.trans.LocalAddr())}
}
