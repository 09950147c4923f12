package consensus

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// pooled is how many connections to one node wait for use after they were used
// once, beside the spares that never were.
const pooled = 3

// transport is that of the library, over connections of which one may have ended
// while it waited. That shows only when it is used, and a vote that is lost so
// would cost a second election.
type transport struct {
	*raft.NetworkTransport
	patience time.Duration // what takes longer is not tried again
	voted    func() error  // waits until the vote of this node for itself is on disk
}

// transport returns what carries the log.
func (o *Options) transport(layer *streamLayer, words *raftWords, voted func() error) raft.Transport {
	if layer == nil {
		_, t := raft.NewInmemTransport(raft.ServerAddress(o.address()))
		return t
	}
	return &transport{raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: layer, MaxPool: pooled, Timeout: max(10*o.Timeouts.Heartbeat, time.Second), Logger: words.logger(), MsgpackUseNewTimeFormat: true,
	}), o.Timeouts.Heartbeat / 10, voted}
}

func closeTransport(t raft.Transport) error {
	if c, ok := t.(raft.WithClose); ok {
		return c.Close()
	}
	return nil
}

// errDial is the error of a request for which no connection could be opened.
var errDial = errors.New("no connection")

// again sends what may be sent twice, until no connection is left that waited.
func (t *transport) again(send func() error) (err error) {
	began := time.Now()
	for range pooled + spareConns + 1 {
		if err = send(); err == nil || errors.Is(err, errDial) || time.Since(began) > t.patience {
			break
		}
	}
	return err
}

// RequestVote is that of raft.Transport. A vote counts only together with that of
// this node for itself, which is on its way to the disk meanwhile.
func (t *transport) RequestVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestVoteRequest, a *raft.RequestVoteResponse) error {
	if err := t.again(func() error { return t.NetworkTransport.RequestVote(id, to, q, a) }); err != nil {
		return err
	}
	return t.voted()
}

// RequestPreVote is that of raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) error {
	return t.again(func() error { return t.NetworkTransport.RequestPreVote(id, to, q, a) })
}

// AppendEntries is that of raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	return t.again(func() error { return t.NetworkTransport.AppendEntries(id, to, q, a) })
}
