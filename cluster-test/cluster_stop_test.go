package clustertest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// sickbay is nodes in front of two servers, one of which falls ill again and again, while clients of one node make requests.
type sickbay struct {
	*cluster
	ill      *moody
	every    time.Duration // it is checked
	requests atomic.Int64
	lost     atomic.Int64 // replies that were not 200
}

// newSickbay starts it. The servers are checked so often. A third one is dead: when one of two that are left falls ill, less
// than half are up, so that it is not held however often it does.
func newSickbay(t *testing.T, nodes int, every time.Duration) *sickbay {
	t.Helper()
	w := &sickbay{cluster: newCluster(t, nodes), ill: newMoody(t), every: every}
	well := newMoody(t)
	for _, n := range w.nodes {
		n.http = fmt.Sprintf("proxy_connect_timeout 1s; proxy_read_timeout 1s; upstream app { zone app 1m; server %s; server %s fail_timeout=1s; server 127.0.0.1:1; } "+
			"server { listen %s; location / { proxy_pass http://app; health_check interval=%dms; } }", well.addr, w.ill.addr, n.addr, every.Milliseconds())
		n.write()
	}
	w.start()
	return w
}

// traffic makes requests at a node, one after the other, until it is stopped.
func (w *sickbay) traffic(n *clusterNode) (stop func()) {
	over := make(chan struct{})
	client := &http.Client{Timeout: limit, Transport: &http.Transport{}}
	var all sync.WaitGroup
	all.Go(func() {
		defer client.CloseIdleConnections()
		for {
			select {
			case <-over:
				return
			case <-time.After(5 * time.Millisecond):
			}
			w.requests.Add(1)
			resp, err := client.Get("http://" + n.addr + "/")
			if err != nil {
				w.lost.Add(1)
				continue
			}
			if resp.Body.Close(); resp.StatusCode != http.StatusOK {
				w.lost.Add(1)
			}
		}
	})
	return func() { close(over); all.Wait() }
}

// all waits until every node uses the server that falls ill as is wanted, and tells when the last did.
func (w *sickbay) all(want func(state string) bool) (last time.Time) {
	w.t.Helper()
	var mu sync.Mutex
	w.each(func(n *clusterNode) {
		at, err := n.awaitState(w.ill.addr, want)
		if err != nil {
			w.t.Errorf("%v%s", err, process.LastLines(n.path("error.log"), 10))
		}
		mu.Lock()
		defer mu.Unlock()
		if at.After(last) {
			last = at
		}
	})
	return last
}

// allUse waits until every node uses the server that falls ill. What failed in traffic is tried again by a request only.
func (w *sickbay) allUse() {
	w.t.Helper()
	w.each(func(n *clusterNode) {
		_, err := n.awaitState(w.ill.addr, func(state string) bool {
			if state == "unavail" {
				n.seen(2)
			}
			return state == "up"
		})
		if err != nil {
			w.t.Error(err)
		}
	})
}

// stopTime lets the server fall ill at any time between its checks, but not right before one, which could be what finds
// it, and tells how long it was until no node used it.
func (w *sickbay) stopTime(fall func()) measured.Trial {
	w.t.Helper()
	w.allUse()
	defer w.traffic(w.nodes[rand.IntN(len(w.nodes))])()
	<-time.After(w.every/5 + rand.N(w.every*2/5))
	began, before := time.Now(), w.waited()
	fall()
	took := w.all(func(state string) bool { return state != "up" }).Sub(began)
	trial := measured.Trial{Took: took, Waited: w.waited() - before}
	w.all(func(state string) bool { return state == "unhealthy" })
	w.ill.recover()
	return trial
}

// often lets the server fall ill so many times.
func (w *sickbay) often(trials int, fall func()) (took measured.Times) {
	for range trials {
		took = append(took, w.stopTime(fall).Took)
	}
	return took
}

// noneLost fails the test if a client got no good reply.
func (w *sickbay) noneLost() {
	w.t.Helper()
	if n := w.lost.Load(); n > 0 {
		w.t.Errorf("%d of %d requests were lost", n, w.requests.Load())
	}
}

// checked is how often a server is checked where nothing is said of it.
const checked = 5 * time.Second

// stopGoals are the times after which no node should use such a server.
var stopGoals = []struct {
	nodes           int
	refused, silent time.Duration
}{
	{3, 300 * time.Millisecond, 2300 * time.Millisecond},
	{5, 400 * time.Millisecond, 2400 * time.Millisecond},
}

// TestClusterStopsUsing: soon after a server refuses connections, or falls silent, no node of three or five uses it, though
// one alone has traffic, and no client notices.
func TestClusterStopsUsing(t *testing.T) {
	t.Parallel()
	for _, goal := range stopGoals {
		t.Run(fmt.Sprint(goal.nodes), func(t *testing.T) {
			w := newSickbay(t, goal.nodes, 3*checked/5)
			repeat := func(trials int, bound time.Duration, fall func()) measured.Times {
				return measured.Repeat(trials, bound, func() measured.Trial { return w.stopTime(fall) })
			}
			refused, silent := goal.refused*3/2, goal.silent*3/2
			repeat(4, refused, w.ill.refuse).Within(t, "no node uses a server that refuses", refused)
			repeat(2, silent, w.ill.hush).Within(t, "no node uses a silent server", silent)
			w.noneLost()
		})
	}
}

// TestMeasureClusterStopsUsing is the same with more trials.
func TestMeasureClusterStopsUsing(t *testing.T) {
	program.Measure(t)
	const refusing, hushing = 100, 20
	for _, goal := range stopGoals {
		w := newSickbay(t, goal.nodes, checked)
		refused, silent := w.often(refusing, w.ill.refuse), w.often(hushing, w.ill.hush)
		w.noneLost()
		refused.Within(t, "no node uses a server that refuses", goal.refused)
		silent.Within(t, "no node uses a silent server", goal.silent)
		lost := fmt.Sprintf("; %d requests, none lost", w.requests.Load())
		measured.Record(t, fmt.Sprintf("a server refuses connections: no node of %d uses it any more", goal.nodes), refusing, refused.String()+lost)
		measured.Record(t, fmt.Sprintf("a server falls silent: no node of %d uses it any more", goal.nodes), hushing, silent.String()+lost)
	}
}
