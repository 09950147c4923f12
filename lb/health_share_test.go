package lb_test

import (
	"fmt"
	"testing"

	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/lbtest"
	"github.com/weir-lb/weir/lb/upstream"
)

// shareChecks starts balancers that tell each other their reports, and returns
// them with one that has traffic and does not check the servers itself.
func shareChecks(t *testing.T, conf string, server string) (all []*lbtest.Balancer, other *lbtest.Balancer) {
	t.Helper()
	const count = 4
	var ids []string
	told := make([]outlet, count)
	for i := range told {
		ids, told[i] = append(ids, fmt.Sprint("node ", i)), make(outlet, 1000)
		all = append(all, lbtest.New(t, func(o *lb.Options) { o.Outlet = told[i] }))
	}
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	for i, b := range all {
		b.SetNodes(health.Nodes{Self: ids[i], Alive: ids})
		load(t, b, conf)
		go func() {
			for {
				select {
				case r := <-told[i]:
					r.Node = ids[i]
					for j, to := range all {
						if j != i {
							to.Hear([]health.Report{r})
						}
					}
				case <-end:
					return
				}
			}
		}()
	}
	for _, b := range all {
		lbtest.Await(t, func() bool {
			for _, s := range b.Checked("app") {
				if s.Peer.Addr != server {
					continue
				}
				if !s.Prober {
					other = b
				}
				return s.Nodes == health.StatusUp
			}
			return false
		}, func() string { return fmt.Sprintf("%+v", b.Checked("app")) })
	}
	return all, other
}

// TestHealthCheckShared lets four nodes check two servers, once an hour. When
// one of these is gone, the first request that finds out is enough for all, and
// when it is well again those who check it tell the other one.
func TestHealthCheckShared(t *testing.T) {
	t.Parallel()
	well, ill := newPatient(t), newPatient(t)
	all, other := shareChecks(t, checkedSite(well, ill, "", "health_check interval=1h;"), ill.Addr())
	if n := ill.probes.Load(); n < 2 || n > 3 { // the third one knows from the others
		t.Errorf("%d probes of one server", n)
	}
	ill.Stop()
	for range 2 { // one of them meets the server
		if r := other.Get(front, "/"); r.Status != 200 {
			t.Error(r)
		}
	}
	for _, b := range all {
		verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: unhealthy})
	}
	other.Errors.Await(t, `), reports of other nodes on peer `+ill.Addr()+` in upstream "app"`)
}

// TestHealthCheckLocal lets each node check for itself.
func TestHealthCheckLocal(t *testing.T) {
	t.Parallel()
	well, ill := newPatient(t), newPatient(t)
	all, _ := shareChecks(t, checkedSite(well, ill, "", "health_check interval=20ms local;"), ill.Addr())
	for _, b := range all {
		for _, s := range b.Checked("app") {
			if !s.Prober {
				t.Errorf("a node does not check %v", s.Peer)
			}
		}
	}
	ill.ill.Store(true)
	for _, b := range all {
		verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: unhealthy})
	}
}
