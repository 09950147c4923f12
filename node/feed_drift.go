package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/errorlog"
)

// kindConfig is the record in which each node publishes the sum of its
// fingerprint; its key is 0.
const kindConfig = gossip.KindOwn

// drift is how the configurations of other nodes differ from that of this one.
type drift struct {
	own     fingerprint
	sums    map[string]uint64 // of other nodes, as heard
	names   map[string]string // what differs, by node
	unclear map[string]bool   // of whom it could not be found out
}

// configure notes the configuration that is now in force, and tells the others.
func (f *feed) configure(cfg *config.Config) {
	if f.cluster == nil {
		return
	}
	f.driftMu.Lock()
	f.drift.own = fingerprintOf(cfg)
	f.driftMu.Unlock()
	f.publishConfig()
	f.compareAll()
}

// publishConfig tells the others which configuration this node has.
func (f *feed) publishConfig() {
	g := f.cluster.gossip.Load()
	if g == nil {
		return
	}
	f.driftMu.Lock()
	sum := f.drift.own.sum()
	f.driftMu.Unlock()
	if err := g.Put(kindConfig, 0, binary.BigEndian.AppendUint64(nil, sum)); err != nil {
		f.log.Logf(errorlog.Error, 0, "cluster: %v", err)
	}
}

// describe answers another node that asks for this one's configuration.
func (f *feed) describe() ([]byte, error) {
	f.driftMu.Lock()
	defer f.driftMu.Unlock()
	return json.Marshal(f.drift.own)
}

// hearRecords takes in which configurations other nodes have.
func (f *feed) hearRecords(list []gossip.Record) {
	for _, r := range list {
		if r.Kind != kindConfig || len(r.Value) < 8 {
			continue
		}
		f.driftMu.Lock()
		f.drift.sums[r.Node] = binary.BigEndian.Uint64(r.Value)
		f.driftMu.Unlock()
		go f.compare(r.Node)
	}
}

// compareAll compares this node's configuration with those of all others.
func (f *feed) compareAll() {
	f.driftMu.Lock()
	defer f.driftMu.Unlock()
	for id := range f.drift.sums {
		go f.compare(id)
	}
}

// compareAgain compares with those whose configuration could not be had.
func (f *feed) compareAgain() {
	f.driftMu.Lock()
	defer f.driftMu.Unlock()
	for id := range f.drift.unclear {
		delete(f.drift.unclear, id)
		go f.compare(id)
	}
}

// compare finds out how the configuration of a node differs, and tells if that
// is new.
func (f *feed) compare(id string) {
	f.driftMu.Lock()
	own, sum := f.drift.own, f.drift.sums[id]
	f.driftMu.Unlock()
	what, err := "", error(nil)
	if sum != own.sum() {
		what, err = f.inquire(id, &own)
	}
	f.driftMu.Lock()
	before := f.drift.names[id]
	if err != nil {
		f.drift.unclear[id] = true // it may just have joined, or not yet
		what = before
	}
	f.drift.names[id] = what
	f.driftMu.Unlock()
	switch {
	case what == before:
	case what == "":
		f.log.Logf(errorlog.Notice, 0, "cluster: node %q has the configuration of this node again", f.cluster.nameOf(id))
	default:
		f.log.Logf(errorlog.Warn, 0, "cluster: the configuration of node %q differs from that of this node: %s", f.cluster.nameOf(id), what)
	}
}

// inquire asks a node for its configuration, and compares.
func (f *feed) inquire(id string, own *fingerprint) (differs string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text, err := f.cluster.callNode(ctx, id, verbConfig, nil)
	if err != nil {
		return "", err
	}
	var other fingerprint
	if err := json.Unmarshal(text, &other); err != nil {
		return "", err
	}
	return own.differences(&other), nil
}

// drifts gives what differs on other nodes, by id.
func (f *feed) drifts() map[string]string {
	f.driftMu.Lock()
	defer f.driftMu.Unlock()
	out := map[string]string{}
	for id, what := range f.drift.names {
		if what != "" {
			out[id] = what
		}
	}
	return out
}
