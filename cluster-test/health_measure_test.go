package clustertest

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// cpuTime is what this process has used of the processors.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestMeasureHealthChecks: a thousand servers, each asked every five seconds, cost no more than 3 % of one processor, also
// where each check makes a connection of its own, though the kernel's work for both ends of it counts as ours here. Nothing
// else runs in this process meanwhile.
func TestMeasureHealthChecks(t *testing.T) {
	program.Measure(t)
	const servers, limitPercent = 1000, 3
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	many, err := process.Start(process.Options{
		Name: "servers", Program: program.Need(t, "node"), Args: []string{filepath.Join("testdata", "many.js")},
		Env: []string{"PORT=" + port, fmt.Sprint("SERVERS=", servers)}, Log: filepath.Join(t.TempDir(), "output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { many.Stop(syscall.SIGKILL, limit) })
	host := func(i int) string { return fmt.Sprintf("127.1.%d.%d:%s", i>>8, i&255, port) }
	if err := many.Await(t.Context(), 2*limit, func() error { return answers(host(servers)) }); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for i := range servers {
		fmt.Fprintf(&list, "server %s;\n", host(i+1))
	}
	var w *weir
	cost := func(more string) float64 {
		conf := "upstream app { zone app 1m; " + list.String() + " } server { listen LISTEN; location / { proxy_pass http://app; health_check interval=5s mandatory " + more + "; } }"
		if w == nil {
			w = startWeir(t, conf)
		} else {
			w.reload(conf)
		}
		w.awaitSeen(servers, "well")
		<-time.After(5 * time.Second) // until the checks are spread
		begin, began := cpuTime(t), time.Now()
		<-time.After(15 * time.Second)
		percent := 100 * float64(cpuTime(t)-begin) / float64(time.Since(began))
		if strings.Contains(w.text(), "unhealthy") {
			t.Error("servers that are well were found ill")
		}
		return percent
	}
	alone, kept := cost(""), cost("keepalive_time=10m")
	result := fmt.Sprintf("%.1f %% of one processor over connections that are kept, %.1f %% over new ones", kept, alone)
	t.Log(result)
	if max(kept, alone) > limitPercent {
		t.Errorf("more than %d %%", limitPercent)
	}
	measured.Record(t, "a thousand servers checked every 5 s", 1, result)
}
