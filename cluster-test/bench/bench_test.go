package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/program"
)

const wrkText = `Running 2s test @ http://127.0.0.1:9000/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.54ms  401.00us  12.11ms   91.20%
    Req/Sec    41.90k     1.12k   43.00k    80.00%
  Latency Distribution
     50%    1.41ms
     75%    1.60ms
     90%    1.81ms
     99%  950.00us
  83800 requests in 2.10s, 99.10MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  39904.76
Transfer/sec:     47.19MB
`

func TestParseWrk(t *testing.T) {
	t.Parallel()
	o, err := parseWrk(wrkText)
	want := outcome{Requests: 83800, Failed: 15, Took: 2100 * time.Millisecond, P50: 1410 * time.Microsecond, P99: 950 * time.Microsecond}
	if err != nil || o != want {
		t.Errorf("%+v, %v; want %+v", o, err, want)
	}
	for _, bad := range []string{"", "unable to connect", "1 requests in 1.0s, 1KB read"} {
		if _, err := parseWrk(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestParseAccounts(t *testing.T) {
	t.Parallel()
	if d, err := parseSchedstat([]byte("123456 7 8\n")); err != nil || d != 123456 {
		t.Errorf("run time %d, %v", d, err)
	}
	if _, err := parseSchedstat([]byte("\n")); err == nil {
		t.Error("an empty account has a run time")
	}
	if kb, err := parseResident([]byte("Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t1\n")); err != nil || kb != 1234 {
		t.Errorf("memory %d, %v", kb, err)
	}
	if _, err := parseResident([]byte("Name:\tx\n")); err == nil {
		t.Error("a status without VmRSS has memory")
	}
	if d, err := runTime(os.Getpid()); err != nil || d <= 0 {
		t.Errorf("our own run time: %v, %v", d, err)
	}
}

func TestParseStrace(t *testing.T) {
	t.Parallel()
	table := `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.12    0.100000           3     30000           writev
 40.00    0.080000           2     30100       100 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.180000           3     60100       100 total
`
	want := []syscallCount{{"writev", 30000, 0}, {"recvfrom", 30100, 100}}
	if got := parseStrace(table); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	cases := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, 0},
		{[]float64{3}, 0.25, 3},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0.75, 4},
		{[]float64{1, 2}, 1, 2},
	}
	for _, c := range cases {
		if got := quantile(c.values, c.q); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("quantile %v of %v: %v, want %v", c.q, c.values, got, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	of := func(cost ...float64) (s []sample) {
		for _, c := range cost {
			s = append(s, sample{perRq: c})
		}
		return s
	}
	rows := compare([]row{
		{proxy: "nginx", samples: of(20, 40, 10)},
		{proxy: "weir", samples: of(10, 30, 9)},
		{proxy: "haproxy", failure: errors.New("x")},
	})
	if got := fmt.Sprint(rows[0].ratios, rows[1].ratios, rows[2].ratios); got != "[1 1 1] [0.5 0.75 0.9] []" {
		t.Errorf("ratios %s", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	s := sample{outcome: outcome{Requests: 1000, Took: time.Second, P50: time.Millisecond, P99: 2 * time.Millisecond, Failed: 1}, cpu: time.Second / 2, perRq: 500}
	var b bytes.Buffer
	printTable(&b, []row{
		{benchCase: benchCase{name: "get"}, proxy: "weir", samples: []sample{s, s}, ratios: []float64{0.8, 0.84}, rssKB: 2048},
		{benchCase: benchCase{name: "get"}, proxy: "nginx", failure: errors.New("it\n | broke")},
		{benchCase: benchCase{name: "rest", load: idle}, proxy: "weir", samples: []sample{{perRq: 5.5}}, ratios: []float64{9}, rssKB: 1024},
	})
	for _, want := range []string{
		"| get | weir | 500.0 µs | 0.82 | 0.81 to 0.83 | 2 | 1000 | 1.00 | 2.00 | 0.50 | 2 | 2 |\n",
		"| get | nginx | failed: it / broke |",
		"| rest | weir | 5.5 KB | 9.00 | 9.00 to 9.00 | 1 | | | | | 1 | |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
	columns := 0
	for line := range strings.Lines(b.String()) {
		if n := strings.Count(line, "|"); columns != 0 && n != columns {
			t.Errorf("%d bars instead of %d in %s", n, columns, line)
		} else {
			columns = n
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]int{"": len(cases()), "get-1k": 1, "idle,get-1k": 2} {
		if got, err := choose(names, false); err != nil || len(got) != want {
			t.Errorf("%q: %d cases, %v", names, len(got), err)
		}
	}
	if got, err := choose("", true); err != nil || len(got) != 3 {
		t.Errorf("quick: %d cases, %v", len(got), err)
	}
	if _, err := choose("no-such", false); err == nil {
		t.Error("an unknown case was found")
	}
}

func TestSteadyKeepsItsRate(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	c := benchCase{name: "steady", load: steady, rate: 200, conns: 4, path: "/"}
	o, err := runSteady(strings.TrimPrefix(server.URL, "http://"), c, 500*time.Millisecond)
	if err != nil || o.Requests != 100 || o.Failed != 0 || o.P50 <= 0 || o.P99 < o.P50 {
		t.Errorf("%+v, %v; want 100 requests in half a second", o, err)
	}
}

// TestConfigurations lets the real programs read what is written for them, in every kind of case.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := &bench{dir: dir, loadCPUs: "0"}
	stop, err := func() (func(), error) {
		program.Need(t, "nginx")
		program.Need(t, "taskset")
		return b.prepare(t.Context())
	}()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, p := range proxies("", "") {
		if p.name == "weir" {
			continue // reads the file of nginx; bench itself shows whether it can
		}
		t.Run(p.name, func(t *testing.T) {
			program.Need(t, p.program)
			for _, c := range cases() {
				if !p.fits(c) {
					continue
				}
				in, err := p.start(t.Context(), b.base, c, "0")
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				in.stop()
			}
		})
	}
}

func TestMissingPrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := &bench{proxies: proxies("bin/weir", "")}
	var told bytes.Buffer
	err := b.keepInstalled(&told)
	if err == nil || !strings.Contains(err.Error(), "apt-get install wrk util-linux nginx-light") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(told.String(), "apt-get install nghttp2-client haproxy caddy") {
		t.Errorf("told %q", told.String())
	}
}

func TestParseH2load(t *testing.T) {
	t.Parallel()
	o, err := parseH2load(`finished in 2.50s, 1200.00 req/s, 1.30MB/s
requests: 3000 total, 3000 started, 3000 done, 2998 succeeded, 2 failed, 1 errored, 1 timeout
status codes: 2999 2xx, 0 3xx, 0 4xx, 0 5xx
                     min         max         mean         sd        +/- sd
time for request:     2.91ms    677.67ms    201.50ms    115.39ms    80.73%
time for connect:     7.38ms     96.78ms     53.68ms     18.57ms    87.50%
`)
	want := outcome{Requests: 2998, Failed: 2, Took: 2500 * time.Millisecond, P50: 201500 * time.Microsecond, P99: 677670 * time.Microsecond}
	if err != nil || o != want {
		t.Errorf("%+v, %v; want %+v", o, err, want)
	}
	if _, err := parseH2load("progress: 10% done"); err == nil {
		t.Error("no result, and no error")
	}
}
