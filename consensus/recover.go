package consensus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/weir-lb/weir/config/durable"
)

// recovery is a file that is there while a quorum is made anew by force.
type recovery struct {
	Epoch uint32 `json:"epoch"` // that the cluster gets
}

func (o *Options) recoveryPath() string { return filepath.Join(o.Dir, recoveryFile) }

// Recover makes a quorum anew when one was lost for good: of this node alone,
// with all it knows. cluster is the id of the cluster, which the operator has to
// name. The others, as far as they live, put their logs aside and come back as
// those that have just joined; what only they knew is lost. Recover returns when
// it is on disk that it is to be done.
func (c *Consensus) Recover(cluster string) error {
	own := c.State().Cluster()
	id, _ := c.Leader()
	e, why := c.engine()
	switch {
	case e == nil && final(why):
		return fmt.Errorf("recover: %w", why)
	case c.o.Stream == nil || c.o.Dir == "":
		return errors.New("recover: the node is alone")
	case own.ID == "" || cluster != own.ID:
		return fmt.Errorf("recover: the id of the cluster is not %q", cluster)
	case id != "":
		return fmt.Errorf("recover: there is a quorum, and node %s leads", id)
	}
	text, err := json.Marshal(recovery{Epoch: own.Epoch + 1})
	if err == nil {
		err = durable.WriteFile(c.o.recoveryPath(), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	c.o.Log.Warn(fmt.Sprintf("a quorum of cluster %s is made anew of this node alone", cluster))
	c.fail(errAgain)
	return nil
}

// recovering returns the epoch that the cluster is to get, 0 if no recovery is
// under way.
func (o *Options) recovering() (uint32, error) {
	if o.Dir == "" {
		return 0, nil
	}
	text, err := os.ReadFile(o.recoveryPath())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var r recovery
	if err == nil {
		err = strictly(text, &r)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", o.recoveryPath(), err)
	}
	return r.Epoch, nil
}

// revive makes a log of which this node is the only voter: out of its log if
// there is one, else out of the state that it served last. It does nothing if
// neither a recovery is under way, nor has a node that is alone lost its log.
func (i *instance) revive(conf *raft.Config, snapshots raft.SnapshotStore, image *State) (err error) {
	if i.epoch, err = i.o.recovering(); err != nil {
		return err
	}
	self := configuration([]server{{id: i.o.ID, addr: i.o.address()}})
	lost := !i.existed && image.Index() > 0
	switch {
	case i.epoch > image.Cluster().Epoch && i.existed:
		return raft.RecoverCluster(conf, newMachine(i.fault), i.guard, i.guard, snapshots, i.trans, self)
	case lost && (i.epoch > image.Cluster().Epoch || i.o.Stream == nil):
		i.existed = true
		return i.seed(snapshots, self, image)
	}
	return nil
}

// seed makes a snapshot of a state, as if the log had brought it.
func (i *instance) seed(snapshots raft.SnapshotStore, self raft.Configuration, s *State) error {
	sink, err := snapshots.Create(1, s.Index(), 1, self, 1, i.trans)
	if err != nil {
		return err
	}
	return captured{s}.Persist(sink)
}

// recovered ends a recovery when the cluster has its new epoch.
func (i *instance) recovered() {
	i.epoch = 0
	to := i.o.recoveryPath() + "." + time.Now().UTC().Format("20060102T150405")
	if err := durable.Rename(i.o.recoveryPath(), to); err != nil {
		i.o.Log.Warn(fmt.Sprintf("recover: %v", err))
	}
}
