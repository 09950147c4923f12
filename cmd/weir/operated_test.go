package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-lb/weir/node/control"
)

// operated is a node of a cluster of three, of which the upstream named decides
// what comes of changes.
type operated struct {
	alone bool
	lost  bool // it has no part in agreement
}

func (o operated) Status() control.Status {
	s := control.Status{ID: strings.Repeat("1", 32), Version: "0.1", Data: "/var/lib/weir", Applied: 42, Rings: []control.RingStatus{
		{Ring: "sticky", Keys: []control.KeyStatus{{ID: 1, State: "retiring"}, {ID: 2, State: "active"}}}}}
	if o.alone {
		return s
	}
	s.Node = "lb1"
	s.Checks = &control.CheckStatus{Peers: 5, Here: 3, Unhealthy: 1, Probes: 120, Fails: 7}
	s.Cluster = &control.ClusterStatus{
		Sessions: &control.SessionStatus{Kept: 900, Room: 11000, Evicted: 1, Sent: 1800, Waiting: 3, Lost: 4, Asked: 20, Found: 18, Unasked: 2},
		Gossip:   control.GossipStatus{Strangers: 5, Outside: 9, Malformed: 4, Oversized: 3, Unknown: 2, Replayed: 1, Dropped: 6, Full: 1, TCPOnly: 8},
		Name:     "shop", ID: strings.Repeat("c", 32), Part: "follower", Leader: &control.NodeName{ID: strings.Repeat("2", 32), Name: "lb2"},
		Quorum: true, Voters: 3, Missing: []control.NodeName{{ID: strings.Repeat("3", 32), Name: "lb3"}},
		Differing: []string{"lb2: upstream app"}, Older: []control.NodeName{{ID: strings.Repeat("3", 32), Name: "lb3"}},
	}
	if o.lost {
		s.Cluster.Leader, s.Cluster.Quorum, s.Stopped = nil, false, "the disk is almost full: 4 MiB are left"
	}
	return s
}

func (o operated) Members() []control.Member {
	return []control.Member{
		{NodeName: control.NodeName{ID: strings.Repeat("1", 32), Name: "lb1"}, Addr: "10.0.0.1:7946", Part: "voter", Alive: true, Ready: true, Applied: 42, Self: true},
		{NodeName: control.NodeName{ID: strings.Repeat("2", 32), Name: "lb2"}, Addr: "10.0.0.2:7946", Part: "leader", Alive: true, Draining: true, Applied: 42},
		{NodeName: control.NodeName{ID: strings.Repeat("3", 32), Name: "lb3"}, Part: "voter", Applied: 7},
	}
}

func (o operated) Upstreams(name string) []control.Upstream {
	two, on := 2, true
	at := time.Unix(0, 0)
	return slices.DeleteFunc([]control.Upstream{
		{Name: "app", Changeable: true, Servers: []control.Server{
			{Server: "10.0.1.1:80", ID: "0000000000000001", Source: "file", Parameters: control.Parameters{Weight: &two, Backup: &on},
				Peers: []control.Peer{{Addr: "10.0.1.1:80", State: "up", Active: 1, Requests: 1000, Fails: 2}}},
			{Server: "app.example:80", ID: "0000000000000002", Source: "added", Order: &control.Order{Kind: "drain", Who: "root on lb2", Why: "new disk", Since: at},
				Peers: []control.Peer{{Addr: "10.0.1.2:80", State: "draining"}, {Addr: "10.0.1.3:80", State: "down", Order: &control.Order{Kind: "down", Since: at}},
					{Addr: "10.0.1.4:80", State: "unhealthy", HeldSeconds: 4}}},
			{Server: "new.example:80", ID: "0000000000000003", Source: "added"},
		}},
		{Name: "fixed", Servers: []control.Server{}},
	}, func(u control.Upstream) bool { return name != "" && u.Name != name })
}

func (o operated) CatchUp(context.Context) error { return nil }

func (o operated) Outcome(string) (control.Outcome, bool) { return control.Outcome{}, false }

func (o operated) decide(w control.Write, upstream string) (control.Outcome, error) {
	switch upstream {
	case "app":
		if o.lost {
			return control.Outcome{Index: 43, Note: "this node does not obey it yet, for it has no part in agreement: the disk is almost full"}, nil
		}
		return control.Outcome{Index: 43}, nil
	case "lonely":
		return control.Outcome{}, &control.Failure{Code: control.NoQuorum, Text: "no quorum: 2 of 3 voters cannot be reached (lb2, lb3); the change was not accepted"}
	case "misty":
		return control.Outcome{}, &control.Failure{Code: control.OutcomeUnknown, Text: fmt.Sprintf("outcome of request %s is unknown", w.Request), Request: w.Request}
	}
	return control.Outcome{}, control.MissingUpstream(upstream, []string{"app", "fixed"})
}

func (o operated) AddServer(_ context.Context, w control.Write, upstream string, _ control.NewServer) (control.Outcome, error) {
	return o.decide(w, upstream)
}

func (o operated) EditServer(_ context.Context, w control.Write, upstream, _ string, _ control.ServerEdit) (control.Outcome, error) {
	return o.decide(w, upstream)
}

func (o operated) RemoveServer(_ context.Context, w control.Write, upstream, _ string) (control.Outcome, error) {
	return o.decide(w, upstream)
}

func (o operated) cluster() (control.Outcome, error) {
	if o.alone {
		return control.Outcome{}, &control.Failure{Code: control.NoCluster, Text: `there is no cluster: the configuration has no "cluster" block`}
	}
	return control.Outcome{Index: 44}, nil
}

func (o operated) Transfer(context.Context) (control.Outcome, error) {
	_, err := o.cluster()
	return control.Outcome{Leader: "lb2"}, err
}

func (o operated) Leave(context.Context, control.Write) (control.Outcome, error) { return o.cluster() }

func (o operated) RemoveNode(context.Context, control.Write, string) (control.Outcome, error) {
	return o.cluster()
}

func (o operated) Recover(cluster string) error {
	if cluster != strings.Repeat("c", 32) {
		return &control.Failure{Code: control.Conflict, Text: "this is another cluster"}
	}
	_, err := o.cluster()
	return err
}

func (o operated) Rotate(_ context.Context, _ control.Write, rings []string) (control.Outcome, error) {
	if len(rings) == 0 {
		rings = []string{"sticky", "ticket"}
	}
	return control.Outcome{Index: 44, Rings: rings}, nil
}
