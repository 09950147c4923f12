package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/node/control"
)

// writers change what is agreed on, many at once, each at any node. As the API asks for, a write whose fate is unknown
// is repeated under its name.
type writers struct {
	cluster *cluster
	acked   atomic.Int64
	again   atomic.Int64  // repeated writes
	enough  chan struct{} // closed when a part of them is acknowledged
}

// add adds a server by one name of a request until some node says that it is done.
func (w *writers) add(ctx context.Context, server string, part int64) error {
	request := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	for {
		nodes := w.cluster.running()
		client := nodes[rand.IntN(len(nodes))].client()
		client.Request = request
		_, err := client.AddServer(ctx, "many", control.NewServer{Server: server})
		var told *control.Failure
		var nobody *control.UnreachableError
		switch {
		case err == nil:
			if w.acked.Add(1) == part {
				close(w.enough)
			}
			return nil
		case errors.As(err, &told) && (told.Code == control.NoQuorum || told.Code == control.OutcomeUnknown), errors.As(err, &nobody):
			w.again.Add(1)
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestClusterLeaderDiesAmidWrites: 200 servers are added at once while the leader is killed; all of them are there in
// the end, each once, on every node, also on the one that was killed.
func TestClusterLeaderDiesAmidWrites(t *testing.T) {
	t.Parallel()
	const writes = 200
	c := newCluster(t, 3)
	c.startApps("upstream many { zone many 1m; server 127.0.0.1:1; }")
	w := &writers{cluster: c, enough: make(chan struct{})}
	leader := c.leader()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var all sync.WaitGroup
	var want []string
	for i := range writes {
		server := fmt.Sprintf("10.0.%d.%d:80", i/100, i%100)
		want = append(want, server)
		all.Go(func() {
			if err := w.add(ctx, server, writes/4); err != nil {
				t.Errorf("%s: %v", server, err)
			}
		})
	}
	select {
	case <-w.enough:
	case <-ctx.Done():
		t.Error("the writes do not get on")
	}
	leader.kill()
	began := time.Now()
	all.Wait()
	t.Logf("%d writes acknowledged, %d times repeated, all %v after the leader's death", w.acked.Load(), w.again.Load(), time.Since(began))
	leader.start()
	slices.Sort(want)
	for _, n := range c.nodes {
		c.await("all that was acknowledged on "+n.name, func() error { return n.holds(t.Context(), "many", want) })
	}
}

// holds tells, by an error, what a node misses of the servers that were added to an upstream, or has too many.
func (n *clusterNode) holds(ctx context.Context, upstream string, want []string) error {
	client := n.client()
	client.Linearizable = true
	u, err := client.Upstream(ctx, upstream)
	if err != nil {
		return err
	}
	var got []string
	for _, s := range u.Servers {
		if s.Source == "added" {
			got = append(got, s.Server)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%d servers, not %d: %s", len(got), len(want), strings.Join(got, " "))
	}
	return nil
}
