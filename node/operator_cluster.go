package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/node/control"
)

// clustered refuses what makes sense in a cluster only.
func (o *operator) clustered() error {
	if o.cluster.ground.conf == nil {
		return &control.Failure{Code: control.NoCluster, Text: `there is no cluster: the configuration has no "cluster" block`}
	}
	return nil
}

// Transfer implements control.Node.
func (o *operator) Transfer(ctx context.Context) (control.Outcome, error) {
	if err := o.clustered(); err != nil {
		return control.Outcome{}, err
	}
	before, _ := o.agreement().Leader()
	now, err := o.agreement().Transfer(ctx)
	switch {
	case err != nil:
		return control.Outcome{}, o.failure(ctx, err, "nothing was handed over")
	case now == "": // it has handed over, and to whom is not known yet
		return control.Outcome{}, nil
	case now == before:
		return control.Outcome{}, &control.Failure{Code: control.Conflict, Text: fmt.Sprintf("node %q goes on to lead: no other node is there that could", o.cluster.nameOf(string(now)))}
	}
	return control.Outcome{Leader: o.cluster.nameOf(string(now))}, nil
}

// Leave implements control.Node.
func (o *operator) Leave(ctx context.Context, w control.Write) (control.Outcome, error) {
	return o.RemoveNode(ctx, w, string(o.cluster.self()))
}

// RemoveNode implements control.Node.
func (o *operator) RemoveNode(ctx context.Context, w control.Write, node string) (control.Outcome, error) {
	if err := o.clustered(); err != nil {
		return control.Outcome{}, err
	}
	id, err := o.node(node)
	if err != nil {
		if outcome, done := o.repeated(ctx, w); done {
			return outcome, nil
		}
		return control.Outcome{}, err
	}
	if err := o.release(ctx, id); err != nil {
		if outcome, done := o.repeated(ctx, w); done {
			return outcome, nil
		}
		return control.Outcome{}, err
	}
	return o.propose(ctx, w, &consensus.RemoveNode{ID: id})
}

// release prepares the removal of a node. The only one with a vote hands over
// first; the error tells that nobody else can lead, or that without this node
// there would be no quorum, which could not be had again but by force.
func (o *operator) release(ctx context.Context, id consensus.NodeID) error {
	name := o.cluster.nameOf(string(id))
	if slices.Equal(o.agreement().Status().Voters, []consensus.NodeID{id}) {
		now, err := o.agreement().Transfer(ctx)
		switch {
		case err != nil:
			return o.failure(ctx, err, "nothing was changed")
		case now == id:
			return &control.Failure{Code: control.Conflict, Text: fmt.Sprintf("node %q cannot be removed: no other node is there that could lead", name)}
		}
		return nil
	}
	if missing, yes := o.agreement().Indispensable(id); yes {
		return &control.Failure{Code: control.Conflict, Text: fmt.Sprintf("node %q cannot be removed: without it there would be no quorum, since of the other voters these do not answer: %s",
			name, control.JoinNames(o.nodeNames(missing)))}
	}
	return nil
}

// node returns the id of a node that is named by name or id.
func (o *operator) node(name string) (consensus.NodeID, error) {
	unknown := &control.Failure{Code: control.NodeNotFound, Text: fmt.Sprintf("there is no node %q", name)}
	for _, m := range o.Members() {
		if m.Name != name && m.ID != name {
			unknown.Known = append(unknown.Known, m.Name)
			continue
		}
		id := consensus.NodeID(m.ID)
		if _, joined := o.cluster.state().Node(id); !joined {
			return "", &control.Failure{Code: control.Conflict, Text: fmt.Sprintf("node %q is about to join, and cannot be removed yet", name)}
		}
		return id, nil
	}
	return "", unknown
}

// Recover implements control.Node.
func (o *operator) Recover(cluster string) error {
	if err := o.clustered(); err != nil {
		return err
	}
	if err := o.agreement().Recover(cluster); err != nil {
		return &control.Failure{Code: control.Conflict, Text: err.Error()}
	}
	return nil
}

// Rotate implements control.Node. The leader has a new key seal as soon as all
// living nodes have it.
func (o *operator) Rotate(ctx context.Context, w control.Write, rings []string) (control.Outcome, error) {
	alone := o.cluster.ground.conf == nil
	if len(rings) == 0 {
		rings = []string{"sticky", "ticket", "gossip"}
		if alone {
			rings = rings[:2]
		}
	}
	s := o.cluster.state()
	var batch consensus.Batch
	for _, name := range rings {
		kind := ringKinds()[name]
		if alone && kind != consensus.StickyRing && kind != consensus.TicketRing {
			return control.Outcome{}, o.clustered()
		}
		ring := s.Ring(kind)
		if slices.ContainsFunc(ring, func(k consensus.Key) bool { return k.State == consensus.KeyNext }) {
			return o.pending(ctx, w, name)
		}
		key := consensus.FreshKey(ring)
		batch = append(batch, &consensus.CreateKey{Ring: kind, ID: key.ID, Secret: key.Secret})
	}
	outcome, err := o.propose(ctx, w, &batch)
	outcome.Rings = rings
	return outcome, err
}

// pending refuses a new key where one waits already, unless that is the one that
// was asked for.
func (o *operator) pending(ctx context.Context, w control.Write, ring string) (control.Outcome, error) {
	if outcome, done := o.repeated(ctx, w); done {
		return outcome, nil
	}
	return control.Outcome{}, &control.Failure{Code: control.Conflict, Text: fmt.Sprintf("a new %s key is waiting for all living nodes to have it", ring)}
}

func ringKinds() map[string]consensus.RingKind {
	return map[string]consensus.RingKind{
		"sticky": consensus.StickyRing, "ticket": consensus.TicketRing, "gossip": consensus.GossipRing, "secret": consensus.SecretRing,
	}
}
