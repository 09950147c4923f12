package clustertest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// forming is how long nodes may take to form a cluster, from the start of the last one.
const forming = 5 * time.Second

// form starts the nodes of a new cluster in an order, each when the one before it serves or all at once, waits until
// they are one, and stops them.
func (c *cluster) form(order []int, together bool) (took time.Duration) {
	c.t.Helper()
	for _, n := range c.nodes {
		if err := os.RemoveAll(n.path("data")); err != nil {
			c.t.Fatal(err)
		}
	}
	began := time.Now()
	if together {
		c.each((*clusterNode).start)
	} else {
		for _, i := range order {
			began = time.Now()
			c.nodes[i].start()
		}
	}
	c.awaitFormed()
	took = time.Since(began)
	c.each((*clusterNode).kill)
	return took
}

// formOften forms clusters in all orders again and again, and returns what each took, sorted.
func formOften(t *testing.T, times int) (took []time.Duration) {
	t.Helper()
	c := newCluster(t, 3)
	c.write("upstream app { server 127.0.0.1:1; }")
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for i := range times {
		took = append(took, c.form(orders[i%len(orders)], i%3 == 2))
	}
	slices.Sort(took)
	return took
}

// TestClusterForms: three fresh nodes with the same lines form exactly one cluster, in whatever order they start. What
// else the machine does can only make a run longer, so that most of them are held to the bound.
func TestClusterForms(t *testing.T) {
	t.Parallel()
	took := formOften(t, 10)
	t.Logf("forming took %v", took)
	if got := took[len(took)*2/3]; got > forming*3/2 {
		t.Errorf("a third of the clusters took more than %v to form, bound %v: %v", got, forming*3/2, took)
	}
}

// TestMeasureClusterForms is the same a hundred times.
func TestMeasureClusterForms(t *testing.T) {
	program.Measure(t)
	took := formOften(t, 100)
	p99 := took[len(took)*99/100]
	if p99 > forming {
		t.Errorf("p99 %v, bound %v", p99, forming)
	}
	measured.Record(t, "three fresh nodes form one cluster, in any start order", len(took),
		fmt.Sprintf("p50 %.1f s, p99 %.1f s", took[len(took)/2].Seconds(), p99.Seconds()))
}
