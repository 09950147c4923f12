package consensus

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// plainLayer is a raft.StreamLayer over a listener. Each accepted connection is
// also sent to conns.
type plainLayer struct {
	net.Listener
	conns chan net.Conn
}

func (l *plainLayer) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.conns <- c
	}
	return c, err
}

func (l *plainLayer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(to), timeout)
}

// newPlain is a transport that answers each request with a vote.
func newPlain(t *testing.T) (*transport, *plainLayer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	layer := &plainLayer{l, make(chan net.Conn, 16)}
	under := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: layer, MaxPool: pooled, Timeout: 20 * time.Second, Logger: (&raftWords{slog.New(slog.DiscardHandler)}).logger()})
	t.Cleanup(func() { under.Close() })
	go func() {
		for rpc := range under.Consumer() {
			rpc.Respond(&raft.RequestVoteResponse{Granted: true}, nil)
		}
	}()
	return &transport{under, 20 * time.Second, func() error { return nil }}, layer
}

// A request whose connection has ended while it waited is sent over another.
func TestTransportOverEndedConnections(t *testing.T) {
	t.Parallel()
	a, _ := newPlain(t)
	_, layer := newPlain(t)
	to := raft.ServerAddress(layer.Addr().String())
	for range 3 {
		var answer raft.RequestVoteResponse
		if err := a.RequestVote("b", to, &raft.RequestVoteRequest{Term: 1}, &answer); err != nil || !answer.Granted {
			t.Fatalf("%+v, %v", answer, err)
		}
		(<-layer.conns).Close() // that which waits now
	}
}

// A vote of another does not count before this node's own is on disk.
func TestTransportCountsVotesWithItsOwn(t *testing.T) {
	t.Parallel()
	a, _ := newPlain(t)
	_, layer := newPlain(t)
	full := errors.New("disk full")
	a.voted = func() error { return full }
	var answer raft.RequestVoteResponse
	if err := a.RequestVote("b", raft.ServerAddress(layer.Addr().String()), &raft.RequestVoteRequest{Term: 1}, &answer); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

// What fails is tried as often as connections can wait, and not for long.
func TestTransportTriesAgain(t *testing.T) {
	t.Parallel()
	ended := errors.New("ended")
	for what, c := range map[string]struct {
		err      error
		patience time.Duration
		want     int
	}{
		"at once":       {ended, time.Hour, pooled + spareConns + 1},
		"late":          {ended, -1, 1},
		"nobody there":  {errDial, time.Hour, 1},
		"what succeeds": {nil, time.Hour, 1},
	} {
		tries := 0
		err := (&transport{patience: c.patience}).again(func() error { tries++; return c.err })
		if !errors.Is(err, c.err) || tries != c.want {
			t.Errorf("%s: %d tries, %v", what, tries, err)
		}
	}
}
