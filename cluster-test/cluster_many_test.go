package clustertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/node/control"
)

// addOneByOne adds servers through a node, each when the one before is there, and returns how long each took.
func (n *clusterNode) addOneByOne(upstream string, servers int) (took measured.Times) {
	n.cluster.t.Helper()
	client := n.client()
	for i := range servers {
		began := time.Now()
		server := control.NewServer{Server: fmt.Sprintf("10.8.%d.%d:80", i>>8, i&255)}
		if _, err := client.AddServer(n.cluster.t.Context(), upstream, server); err != nil {
			n.cluster.t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// TestMeasureServersOneByOne adds 10,000 servers to one upstream, one after the other: the last take little longer than the
// first. It tells the memory of the nodes afterwards, of one that restarts then, and of a fourth that joins.
func TestMeasureServersOneByOne(t *testing.T) {
	program.Measure(t)
	const some = manyServers / 10
	c := newCluster(t, 3)
	c.startApps("upstream many { zone many 16m; server 127.0.0.1:1; }")
	began := time.Now()
	took := c.nodes[0].addOneByOne("many", manyServers)
	all := time.Since(began).Round(time.Second)
	first, last := took[:some], took[manyServers-some:]
	result := fmt.Sprintf("%s; the first %d: %s; the last: %s", all, some, first, last)
	t.Log(result)
	if last.Near() > 4*first.Near() {
		t.Error("the last take much longer than the first")
	}
	measured.Record(t, "10,000 servers added one by one to an upstream of three nodes", 1, result)

	c.comeAndGo()
	c.awaitServers("many", manyServers)
	<-time.After(atRest)
	result = ""
	for i, what := range []string{"asked", "another", "restarted", "joined"} {
		result += fmt.Sprintf("%s %.0f MB, ", what, c.nodes[i].resident())
	}
	measured.Record(t, "resident memory of four nodes with 10,000 servers that were added one by one", 1, result[:len(result)-2])
}
