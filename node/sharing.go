package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/upstream"
)

// everyNode is up to how many nodes all learned sessions are told to all of
// them. Where there are more each session has three owners, which are told.
const everyNode = 5

// keyWitnesses is how many nodes are asked for a key that this one lacks.
const keyWitnesses = 5

// stickyTables is what sharing takes of the balancer.
type stickyTables interface {
	SetKeys(*upstream.Keys)
	PutSessions(zone string, list []upstream.LearnedSession)
	FindSession(zone string, key upstream.SessionKey) (upstream.LearnedSession, bool)
	SharedSessions(f func(zone string, list []upstream.LearnedSession) bool)
}

// sharing tells other nodes of learned sessions, and asks them about those, and
// about sticky keys, that this one does not have. Its methods may be called by
// many goroutines.
type sharing struct {
	self   string
	others func() []string // ids of the other nodes that are alive
	tables stickyTables
	state  func() *consensus.State
	first  func(*consensus.State) []byte // see stickyKeys
	send   func(to []string, zone string, list []gossip.Session) error
	ask    func(ctx context.Context, node, verb string, body []byte) ([]byte, error)

	presence *presence // who is alive, for attend
}

// Verbs of the calls by which sharing asks.
const (
	verbFindSession = "find-session"
	verbFindKey     = "find-key"
)

// sessionQuestion asks for a session, by what stands for its id.
type sessionQuestion struct {
	Zone string `json:"zone"`
	Key  []byte `json:"key"`
}

// sessionAnswer is the answer; without Known the others are zero.
type sessionAnswer struct {
	Known  bool   `json:"known"`
	Server uint64 `json:"server,omitempty"`
	Seen   int64  `json:"seen,omitempty"`
}

// keyQuestion asks for the ring that has a sticky key.
type keyQuestion struct {
	ID uint16 `json:"id"`
}

// keyAnswer is the answer. Without the key it has no ring.
type keyAnswer struct {
	Index uint64         `json:"index"` // of the state that it is from
	Ring  consensus.Ring `json:"ring,omitempty"`
}

// owners are those of nodes that are told of a session.
func owners(key upstream.SessionKey, nodes []string) []string {
	if len(nodes) <= everyNode {
		return nodes
	}
	return health.Probers(binary.BigEndian.Uint64(key[:]), nodes)
}

// Learned passes on what this node learned of sessions. What finds no room on
// its way is counted by gossip, and asked for when it is missed.
func (s *sharing) Learned(zone string, list []upstream.LearnedSession) {
	others := s.others()
	if len(others) < everyNode {
		_ = s.send(others, zone, travelling(list)) // counted there
		return
	}
	all := append(others, s.self)
	shares := map[string][]upstream.LearnedSession{}
	for _, l := range list {
		for _, to := range owners(l.Key, all) {
			shares[to] = append(shares[to], l)
		}
	}
	delete(shares, s.self)
	for to, share := range shares {
		_ = s.send([]string{to}, zone, travelling(share)) // likewise
	}
}

// travelling is how gossip carries sessions.
func travelling(list []upstream.LearnedSession) []gossip.Session {
	out := make([]gossip.Session, len(list))
	for i, l := range list {
		out[i] = gossip.Session{Key: l.Key, Server: uint64(l.Server), Seen: l.Seen}
	}
	return out
}

// hear takes over what another node tells of sessions.
func (s *sharing) hear(zone string, list []gossip.Session) {
	heard := make([]upstream.LearnedSession, len(list))
	for i, l := range list {
		heard[i] = upstream.LearnedSession{Key: l.Key, Server: upstream.ServerID(l.Server), Seen: l.Seen}
	}
	s.tables.PutSessions(zone, heard)
}

// Ask asks the owners of a session that this node does not know.
func (s *sharing) Ask(ctx context.Context, zone string, key upstream.SessionKey) (found upstream.LearnedSession, ok bool) {
	whom := owners(key, append(s.others(), s.self))
	body, err := json.Marshal(sessionQuestion{zone, key[:]})
	if err != nil {
		return found, false
	}
	s.askAll(ctx, whom, verbFindSession, body, func(answer []byte) (enough bool) {
		var a sessionAnswer
		if json.Unmarshal(answer, &a) == nil && a.Known {
			found, ok = upstream.LearnedSession{Key: key, Server: upstream.ServerID(a.Server), Seen: a.Seen}, true
		}
		return ok
	})
	return found, ok
}

// AskKey asks other nodes for a sticky key. It is none if all that are asked
// know of none. A node that is behind this one may know a key that was revoked
// since: its word does not count.
func (s *sharing) AskKey(ctx context.Context, id uint16) (none bool) {
	whom := s.others()
	whom = whom[:min(len(whom), keyWitnesses)]
	body, err := json.Marshal(keyQuestion{id})
	if err != nil || len(whom) == 0 {
		return false
	}
	without, found, here := 0, false, s.state().Index()
	s.askAll(ctx, whom, verbFindKey, body, func(answer []byte) (enough bool) {
		var a keyAnswer
		if json.Unmarshal(answer, &a) != nil {
			return false
		}
		if a.Index <= here || !hasKey(a.Ring, id) {
			without++
			return false
		}
		keys, err := stickyKeys(a.Ring, s.first(s.state()))
		if found = err == nil; found {
			s.tables.SetKeys(keys)
		}
		return found
	})
	return !found && without == len(whom)
}

func hasKey(r consensus.Ring, id uint16) bool {
	return slices.ContainsFunc(r, func(k consensus.Key) bool { return k.ID == id })
}

// askAll asks nodes at once, this one excepted, and has f see the answers, one
// after the other, until it has enough. It returns then, when all have answered,
// or with ctx.
func (s *sharing) askAll(ctx context.Context, whom []string, verb string, body []byte, f func(answer []byte) (enough bool)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan []byte, len(whom))
	asked := 0
	for _, node := range whom {
		if node == s.self {
			continue
		}
		asked++
		go func() {
			answer, err := s.ask(ctx, node, verb, body)
			if err != nil {
				answer = nil // a node that cannot answer does not know
			}
			answers <- answer
		}()
	}
	for range asked {
		select {
		case answer := <-answers:
			if answer != nil && f(answer) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// answerSession answers verbFindSession.
func (s *sharing) answerSession(body []byte) ([]byte, error) {
	var q sessionQuestion
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("no question about a session: %w", err)
	}
	if len(q.Key) != len(upstream.SessionKey{}) {
		return nil, fmt.Errorf("a session is asked for by %d bytes, not %d", len(q.Key), len(upstream.SessionKey{}))
	}
	l, ok := s.tables.FindSession(q.Zone, upstream.SessionKey(q.Key))
	return json.Marshal(sessionAnswer{Known: ok, Server: uint64(l.Server), Seen: l.Seen})
}

// answerKey answers verbFindKey. It tells a secret, to nodes of the cluster
// alone: who else calls is not let in.
func (s *sharing) answerKey(body []byte) ([]byte, error) {
	var q keyQuestion
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("no question about a key: %w", err)
	}
	state := s.state()
	a := keyAnswer{Index: state.Index()}
	if ring := state.Ring(consensus.StickyRing); hasKey(ring, q.ID) {
		a.Ring = ring
	}
	return json.Marshal(a)
}
