package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/node/control"
)

// How long writes may have to wait when the leader is killed, and when it hands over.
const (
	killedGoal    = 3200 * time.Millisecond
	killedBound   = killedGoal * 3 / 2 // of few trials beside others
	transferGoal  = 50 * time.Millisecond
	transferBound = transferGoal * 3 / 2
)

// weighing is clients of the API, one at each of some nodes, who change the weight of a server on and on. Only a write
// whose outcome is unknown they repeat, under its name.
type weighing struct {
	stop  chan struct{}
	all   sync.WaitGroup
	again atomic.Int64 // repeated writes

	mu      sync.Mutex
	longest time.Duration
	failed  []error
}

// weighedServer is the one at whose weight node i works.
func weighedServer(i int) string { return fmt.Sprintf("10.9.0.%d:80", i) }

// weigh begins to write.
func (c *cluster) weigh(nodes []*clusterNode) *weighing {
	w := &weighing{stop: make(chan struct{})}
	for i, n := range nodes {
		w.all.Go(func() {
			for weight := 0; ; weight = (weight + 1) % 9 {
				select {
				case <-w.stop:
					return
				case <-time.After(5 * time.Millisecond): // the processors are for the nodes, too
				}
				began := time.Now()
				w.note(began, w.write(c.t.Context(), n, weighedServer(i), weight+1))
			}
		})
	}
	return w
}

// write gives a server a weight. Where there is no leader for longer than a node waits for one, it asks again: how long all
// of it took is what counts.
func (w *weighing) write(ctx context.Context, n *clusterNode, server string, weight int) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := n.client()
	client.Request = control.NewRequest()
	for began := time.Now(); ; {
		_, err := client.EditServer(ctx, "app", server, control.ServerEdit{Parameters: control.Parameters{Weight: &weight}})
		var told *control.Failure
		switch {
		case ctx.Err() != nil || !errors.As(err, &told):
			return err
		case told.Code == control.OutcomeUnknown:
			w.again.Add(1)
		case told.Code != control.NoQuorum || time.Since(began) < killedBound:
			return err
		}
	}
}

func (w *weighing) note(began time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest = max(w.longest, time.Since(began))
	if err != nil {
		w.failed = append(w.failed, err)
	}
}

// end ends the writing and returns how long the longest write took.
func (w *weighing) end(t *testing.T) time.Duration {
	t.Helper()
	close(w.stop)
	w.all.Wait()
	if len(w.failed) > 0 {
		t.Errorf("%d errors were told, the first: %v", len(w.failed), w.failed[0])
	}
	return w.longest
}

// startWeighing starts three nodes with servers to be weighed.
func startWeighing(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 3)
	c.write(fmt.Sprintf("upstream app { zone app 1m; server %s; server %s; server %s; }", weighedServer(0), weighedServer(1), weighedServer(2)))
	c.start()
	return c
}

// leaderDies kills the leader while there are writes at the others, and starts it again.
func (c *cluster) leaderDies() (longest time.Duration, again int64) {
	c.t.Helper()
	leader := c.leader()
	w := c.weigh(slices.DeleteFunc(c.running(), func(n *clusterNode) bool { return n == leader }))
	<-time.After(100 * time.Millisecond)
	leader.kill()
	<-time.After(killedGoal + 500*time.Millisecond)
	longest = w.end(c.t)
	leader.start()
	c.awaitFormed()
	return longest, w.again.Load()
}

// leaderHandsOver has another node lead while there are writes at all.
func (c *cluster) leaderHandsOver() time.Duration {
	c.t.Helper()
	w := c.weigh(c.nodes)
	<-time.After(100 * time.Millisecond)
	c.await("another leader", func() error {
		_, err := c.nodes[0].client().Transfer(c.t.Context())
		return err
	})
	<-time.After(100 * time.Millisecond)
	return w.end(c.t)
}

// TestClusterWritesGoOn: clients that ask nodes that live have to wait when the leader dies, and hardly when it hands
// over, but are told no error.
func TestClusterWritesGoOn(t *testing.T) {
	t.Parallel()
	c := startWeighing(t)
	var killed, over measured.Times
	for range 2 {
		longest, _ := c.leaderDies()
		killed = append(killed, longest)
	}
	killed.Within(t, "the longest write when the leader was killed", killedBound)
	for range 5 {
		over = append(over, c.leaderHandsOver())
	}
	t.Log("the longest write while another became leader:", over)
	// Other work on the machine, and on its disk, only makes it longer.
	if quickest := slices.Min(over); quickest > transferBound {
		t.Errorf("the longest write was never shorter than %v while another became leader, %v are allowed", quickest, transferBound)
	}
}

// TestMeasureClusterWritesGoOn is the same with more trials, the leader being killed.
func TestMeasureClusterWritesGoOn(t *testing.T) {
	program.Measure(t)
	const deaths = 40
	c := startWeighing(t)
	var killed measured.Times
	var again int64
	for range deaths {
		longest, n := c.leaderDies()
		killed, again = append(killed, longest), again+n
	}
	killed.Within(t, "the longest write when the leader was killed", killedGoal)
	measured.Record(t, "the longest write at the other nodes of three when the leader is killed", deaths,
		fmt.Sprintf("%s; no error, %d writes of unknown outcome repeated", killed, again))
}

// TestMeasureClusterHandsOver is the same with more trials, another node being made to lead. As many trials in which
// nothing happens tell what the disk alone does to the longest write.
func TestMeasureClusterHandsOver(t *testing.T) {
	program.Measure(t)
	const transfers = 100
	c := startWeighing(t)
	var over, still measured.Times
	for range transfers {
		w := c.weigh(c.nodes)
		<-time.After(200 * time.Millisecond)
		still = append(still, w.end(t))
		over = append(over, c.leaderHandsOver())
	}
	over.Within(t, "the longest write while another became leader", transferGoal)
	measured.Record(t, "the longest write at three nodes while another becomes leader", transfers,
		fmt.Sprintf("%s; no error; while nothing happens: %s", over, still))
}
