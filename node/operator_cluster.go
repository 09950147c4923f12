package node

import (
	"context"
	"fmt"

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
func (o *operator) Transfer(ctx context.Context) error {
	if err := o.clustered(); err != nil {
		return err
	}
	return o.failure(o.agreement().Transfer(ctx))
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
	return o.propose(ctx, w, &consensus.RemoveNode{ID: id})
}

// node returns the id of a node that is named by name or id.
func (o *operator) node(name string) (consensus.NodeID, error) {
	var found []consensus.NodeID
	f := &control.Failure{Code: control.NodeNotFound, Text: fmt.Sprintf("there is no node %q", name)}
	o.cluster.state().Nodes(func(id consensus.NodeID, n consensus.Node) {
		switch {
		case n.Removed:
		case n.Name == name || string(id) == name:
			found = append(found, id)
		default:
			f.Known = append(f.Known, n.Name)
		}
	})
	if len(found) != 1 {
		return "", f
	}
	return found[0], nil
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
	s := o.cluster.state()
	var batch consensus.Batch
	for _, name := range rings {
		kind := ringKinds()[name]
		if kind == consensus.GossipRing && o.cluster.ground.conf == nil {
			if len(rings) == 1 {
				return control.Outcome{}, o.clustered()
			}
			continue
		}
		key := consensus.FreshKey(s.Ring(kind))
		batch = append(batch, &consensus.CreateKey{Ring: kind, ID: key.ID, Secret: key.Secret})
	}
	return o.propose(ctx, w, &batch)
}

func ringKinds() map[string]consensus.RingKind {
	return map[string]consensus.RingKind{"sticky": consensus.StickyRing, "ticket": consensus.TicketRing, "gossip": consensus.GossipRing}
}
