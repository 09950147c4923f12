package consensus

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// p99 returns the 99th percentile, and the worst.
func p99(times []time.Duration) (nearly, worst time.Duration) {
	slices.Sort(times)
	return times[(len(times)*99-1)/100].Round(100 * time.Microsecond), times[len(times)-1].Round(100 * time.Microsecond)
}

func TestMeasureForming(t *testing.T) {
	program.Measure(t)
	const trials = 100
	nearly, worst := p99(formings(t, trials, Timeouts{}))
	if nearly > 5*time.Second {
		t.Errorf("forming: p99 %v", nearly)
	}
	measured.Record(t, "agreement: three fresh nodes form one cluster, in any order", trials, fmt.Sprintf("p99 %v, worst %v", nearly, worst))
}

func TestMeasureTransfer(t *testing.T) {
	program.Measure(t)
	const trials = 100
	w := slow(t)
	var gaps []time.Duration
	for range trials {
		gaps = append(gaps, w.transfer())
	}
	nearly, worst := p99(gaps)
	if nearly > 50*time.Millisecond {
		t.Errorf("transfer: p99 %v, worst %v", nearly, worst)
	}
	measured.Record(t, "agreement: the longest write on another node while the leader hands over", trials, fmt.Sprintf("p99 %v, worst %v", nearly, worst))
}

func TestMeasureKilledLeader(t *testing.T) {
	program.Measure(t)
	const trials = 30
	w := slow(t)
	var gaps []time.Duration
	for trial := range trials {
		leader, others := w.leader()
		from := time.Now()
		var dead sync.WaitGroup
		dead.Go(leader.kill)
		if r, err := others[trial%2].up().Propose(t.Context(), addServer(ServerID(trial+1))); err != nil || r.Code != Accepted {
			t.Errorf("%+v, %v", r, err)
		}
		gaps = append(gaps, time.Since(from))
		dead.Wait()
		leader.start()
		w.settled()
	}
	nearly, worst := p99(gaps)
	if nearly > 3200*time.Millisecond {
		t.Errorf("a write when the leader was killed: p99 %v, worst %v", nearly, worst)
	}
	measured.Record(t, "agreement: a write that begins when the leader is killed", trials, fmt.Sprintf("p99 %v, worst %v; no error", nearly, worst))
}

// slow is three nodes with the default timeouts, on disk.
func slow(t *testing.T) *network {
	t.Helper()
	w := newNetwork(t)
	for range 3 {
		w.add(t.TempDir(), 3).o.Timeouts = Timeouts{}
	}
	for _, node := range w.all() {
		node.start()
	}
	w.settled()
	return w
}
