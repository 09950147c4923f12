package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lb/weir/node/control"
)

// clusterVerbs are the commands of `weir cluster`.
func clusterVerbs() []verb {
	return []verb{
		{"status", "", "how the node that is asked, and agreement, fare", 0, 0, readOptions(), clusterStatus},
		{"members", "", "the nodes", 0, 0, readOptions(), clusterMembers},
		{"transfer", "", "have another node lead", 0, 0, nil, clusterTransfer},
		{"leave", "", "take the node that is asked out of its cluster for good", 0, 0, changeOptions(), clusterLeave},
		{"remove", "NODE", "shut a node out for good, named by name or id", 1, 1, changeOptions(), clusterRemove},
		{"recover", "", "make a quorum anew of the node that is asked, when one is lost for good", 0, 0, []string{"--cluster-id"}, clusterRecover},
		{"keys", "rotate [RING]...", "make new keys: sticky, ticket, gossip, or secret if it was stolen", 1, 5, changeOptions(), clusterKeys},
	}
}

func clusterStatus(ctx context.Context, e *errand) error {
	s, err := e.client.Status(ctx)
	if err != nil {
		return err
	}
	return e.show(s, func(w io.Writer) { writeStatus(w, &s) })
}

// writeStatus writes one line a fact.
func writeStatus(w io.Writer, s *control.Status) {
	var t table
	node := control.NodeName{ID: s.ID, Name: s.Node}.String()
	if c := s.Cluster; c == nil {
		t.row("cluster:", "none, this node is alone")
		t.row("node:", node)
	} else {
		t.row("cluster:", c.Name+clusterID(c))
		t.row("node:", fmt.Sprintf("%s (%s), %s", node, s.ID, c.Part))
		leader := "nobody is known to lead"
		if c.Leader != nil {
			leader = c.Leader.String()
		}
		t.row("leader:", leader)
		if s.Stopped == "" {
			t.row("quorum:", quorumText(c))
		}
		for _, d := range c.Differing {
			t.row("differs:", d)
		}
		if len(c.Older) > 0 {
			t.row("older:", control.JoinNames(c.Older)+": newer kinds of changes are refused until all nodes run the newer version")
		}
	}
	if s.Stopped != "" {
		t.row("stopped:", "this node has no part in agreement: "+s.Stopped)
	}
	t.row("applied:", strconv.FormatUint(s.Applied, 10))
	t.row("version:", s.Version)
	if s.Data == "" {
		t.row("data:", "none, changes are lost when weir stops")
	} else {
		t.row("data:", s.Data)
	}
	for _, r := range s.Rings {
		t.row(r.Ring+" keys:", ringText(&r))
	}
	if n := s.Checks; n != nil {
		t.row("checks:", fmt.Sprintf("%d of %d peers by this node, %d unhealthy; %d probes, %d failed", n.Here, n.Peers, n.Unhealthy, n.Probes, n.Fails))
	}
	if c := s.Cluster; c != nil {
		t.row("gossip:", gossipText(&c.Gossip))
		if n := c.Sessions; n != nil {
			t.row("sessions:", fmt.Sprintf("%d of at most %d, %d evicted", n.Kept, n.Room, n.Evicted))
			t.row("", fmt.Sprintf("told to other nodes: %d, %d wait, %d lost", n.Sent, n.Waiting, n.Lost))
			t.row("", fmt.Sprintf("asked of other nodes: %d, %d found there; %d not asked", n.Asked, n.Found, n.Unasked))
		}
	}
	t.write(w)
}

// gossipText tells what went wrong.
func gossipText(g *control.GossipStatus) string {
	text := fmt.Sprintf("%d refused", g.Refused())
	var why []string
	for _, part := range []struct {
		n    uint64
		what string
	}{{g.Strangers, "without our key"}, {g.Outside, "from addresses that are not allowed"}, {g.Malformed, "malformed"}, {g.Oversized, "too long"}, {g.Unknown, "of no member"}, {g.Replayed, "replayed"}} {
		if part.n > 0 {
			why = append(why, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	if why != nil {
		text += " (" + strings.Join(why, ", ") + ")"
	}
	return fmt.Sprintf("%s, %d dropped for want of room, %d pings by TCP only", text, g.Dropped+g.Full, g.TCPOnly)
}

func clusterID(c *control.ClusterStatus) string {
	if c.ID == "" {
		return " (not formed yet)"
	}
	return " (" + c.ID + ")"
}

// quorumText tells whether changes can be agreed on.
func quorumText(c *control.ClusterStatus) string {
	text := fmt.Sprintf("%d voters", c.Voters)
	if c.NonVoters > 0 {
		text += fmt.Sprintf(", %d others", c.NonVoters)
	}
	if len(c.Missing) > 0 {
		text += ", missing: " + control.JoinNames(c.Missing)
	}
	if !c.Quorum {
		return "no, " + text + "; requests are served, changes are not taken"
	}
	return "yes, " + text
}

func ringText(r *control.RingStatus) string {
	var keys []string
	for _, k := range r.Keys {
		keys = append(keys, fmt.Sprintf("%d %s", k.ID, k.State))
	}
	if keys == nil {
		return "none"
	}
	return strings.Join(keys, ", ")
}

func clusterMembers(ctx context.Context, e *errand) error {
	list, err := e.client.Members(ctx)
	if err != nil {
		return err
	}
	return e.show(list, func(w io.Writer) { writeMembers(w, list, time.Now()) })
}

func writeMembers(w io.Writer, list []control.Member, now time.Time) {
	var t table
	t.row("NODE", "ADDRESS", "PART", "STATE", "SINCE", "APPLIED", "ID")
	for _, m := range list {
		name, since, addr := m.String(), "-", m.Addr
		if m.Self {
			name += " *"
		}
		if !m.Since.IsZero() {
			since = now.Sub(m.Since).Round(time.Second).String()
		}
		if addr == "" {
			addr = "-"
		}
		t.row(name, addr, m.Part, memberState(&m), since, strconv.FormatUint(m.Applied, 10), m.ID)
	}
	t.write(w)
}

func memberState(m *control.Member) string {
	switch {
	case !m.Alive:
		return "dead"
	case m.Draining:
		return "draining"
	case !m.Ready:
		return "starting"
	}
	return "alive"
}

func clusterTransfer(ctx context.Context, e *errand) error {
	o, err := e.client.Transfer(ctx)
	if o.Leader == "" {
		return e.done(o, err, "the node that led has handed over; this one has not heard yet to whom")
	}
	return e.done(o, err, "node %s leads", o.Leader)
}

func clusterLeave(ctx context.Context, e *errand) error {
	o, err := e.client.Leave(ctx)
	return e.done(o, err, "this node has left its cluster; it goes on serving until it is stopped")
}

func clusterRemove(ctx context.Context, e *errand) error {
	o, err := e.client.RemoveNode(ctx, e.words[0])
	return e.done(o, err, "node %s is shut out", e.words[0])
}

// clusterRecover wants the cluster's id typed: what it does cannot be taken
// back.
func clusterRecover(ctx context.Context, e *errand) error {
	if e.option.clusterID == "" {
		s, err := e.client.Status(ctx)
		if err != nil {
			return err
		}
		if s.Cluster == nil {
			return errors.New("there is no cluster: the configuration has no \"cluster\" block")
		}
		if s.Cluster.Quorum {
			return fmt.Errorf("there is a quorum, and %s leads: nothing is to be recovered", s.Cluster.Leader)
		}
		return &usageError{fmt.Sprintf("what only other nodes know is lost by this. If so many of them are gone for good that there is no quorum, repeat it with --cluster-id %s", s.Cluster.ID)}
	}
	o, err := e.client.Recover(ctx, control.Recovery{Cluster: e.option.clusterID})
	return e.done(o, err, "this node is a quorum by itself; the others that are left join it again")
}

func clusterKeys(ctx context.Context, e *errand) error {
	if e.words[0] != "rotate" {
		return &usageError{"usage: weir cluster keys rotate [sticky|ticket|gossip|secret]..."}
	}
	o, err := e.client.Rotate(ctx, control.Rotation{Rings: e.words[1:]})
	return e.done(o, err, "new keys are in use as soon as all living nodes have them: %s", strings.Join(o.Rings, ", "))
}
