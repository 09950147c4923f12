package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/examples/selfsigned"
)

// bench is one measurement: what was asked for, and what stands ready for it.
type bench struct {
	cases    []benchCase
	proxies  []proxy
	asked    bool // the proxies were named: all take part wherever they fit
	rounds   int
	duration time.Duration // of one run
	progress io.Writer

	dir                 string
	proxyCPUs, loadCPUs string
	base                setup
}

// sample is one run of one proxy.
type sample struct {
	outcome
	cpu   time.Duration // of the proxy
	perRq float64       // µs for each request; KB for each connection when the case is idle
}

// row is what all rounds of one proxy in one case gave.
type row struct {
	benchCase benchCase
	proxy     string
	samples   []sample
	ratios    []float64 // to nginx in the same round
	rssKB     int
	failure   error // why there is nothing
}

// prepare makes certificates and bodies and starts the backends, which stop by the function it returns.
func (b *bench) prepare(ctx context.Context) (stop func(), err error) {
	b.base = setup{dir: b.dir, ssl: filepath.Join(b.dir, "ssl")}
	for _, kind := range []selfsigned.Kind{selfsigned.ECDSA, selfsigned.RSA} {
		pair, err := selfsigned.Make(kind, "127.0.0.1", "shop.example.org")
		if err != nil {
			return nil, err
		}
		if err := pair.Write(b.base.ssl, string(kind)); err != nil {
			return nil, err
		}
		both := slices.Concat(pair.Certificate, pair.Key)
		if err := os.WriteFile(filepath.Join(b.base.ssl, string(kind)+".pem"), both, 0o600); err != nil {
			return nil, err
		}
	}
	for i := range b.base.backends {
		if b.base.backends[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	return b.startBackends(ctx)
}

func (b *bench) startBackends(ctx context.Context) (stop func(), err error) {
	dir := filepath.Join(b.dir, "backend")
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "100k"), bytes.Repeat([]byte("0123456789abcdef"), 100<<10/16), 0o644); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "backend.conf")
	if err := os.WriteFile(conf, []byte(backendConf(dir, b.base.backends)), 0o644); err != nil {
		return nil, err
	}
	backend, err := process.Start(process.Options{
		Name: "backend nginx", Program: "taskset", Log: filepath.Join(dir, "output.log"),
		Args: []string{"-c", b.loadCPUs, "nginx", "-p", dir, "-c", conf, "-g", "daemon off; master_process off;"},
	})
	if err != nil {
		return nil, err
	}
	stop = func() { backend.Stop(syscall.SIGTERM, 3*time.Second) }
	err = backend.Await(ctx, 10*time.Second, func() error {
		return answersOnce(fmt.Sprintf("127.0.0.1:%d", b.base.backends[1]), benchCase{path: "/1k"})
	})
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// run measures case after case. A proxy that cannot do a case is shown with the reason; only the user's wish to stop
// ends everything.
func (b *bench) run(ctx context.Context) ([]row, error) {
	stop, err := b.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	var rows []row
	for _, c := range b.cases {
		fmt.Fprintf(b.progress, "%s: %s\n", c.name, c.about)
		if c.load == idle {
			rows = append(rows, b.measureIdle(ctx, c)...)
		} else {
			rows = append(rows, b.measure(ctx, c)...)
		}
		if ctx.Err() != nil {
			return rows, fmt.Errorf("stopped before the end; the table holds what was finished")
		}
	}
	return rows, nil
}

// entrants are the proxies that take part in a case.
func (b *bench) entrants(c benchCase) []proxy {
	return slices.DeleteFunc(slices.Clone(b.proxies), func(p proxy) bool {
		usual := p.name == "nginx" || p.name == "weir" || p.name == "before" || c.others
		return !p.fits(c) || !usual && !b.asked
	})
}

// measure runs all rounds of a case.
func (b *bench) measure(ctx context.Context, c benchCase) []row {
	var (
		rows  []row
		ready []*instance
	)
	for _, p := range b.entrants(c) {
		in, err := p.start(ctx, b.base, c, b.proxyCPUs)
		if err == nil {
			defer in.stop()
			_, err = b.sample(ctx, in, c, time.Second) // warms up
		}
		rows = append(rows, row{benchCase: c, proxy: p.name, failure: err})
		ready = append(ready, in)
	}
	for round := range b.rounds {
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
			if round%2 == 1 {
				order[i] = len(rows) - 1 - i
			}
		}
		for _, i := range order {
			if rows[i].failure != nil || ctx.Err() != nil {
				continue
			}
			s, err := b.sample(ctx, ready[i], c, b.duration)
			rows[i].samples, rows[i].failure = append(rows[i].samples, s), err
		}
		fmt.Fprintf(b.progress, "  round %d of %d\r", round+1, b.rounds)
	}
	for i := range rows {
		if rows[i].failure == nil {
			rows[i].rssKB, rows[i].failure = residentKB(ready[i].ID())
		}
	}
	return compare(rows)
}

// sample loads one proxy once.
func (b *bench) sample(ctx context.Context, in *instance, c benchCase, d time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, d+20*time.Second)
	defer cancel()
	before, err := runTime(in.ID())
	if err != nil {
		return sample{}, err
	}
	var o outcome
	switch {
	case c.load == steady:
		o, err = b.steadied(ctx, in, c, d)
	case c.streams > 0:
		o, err = b.multiplexed(ctx, in, c, d)
	default:
		o, err = b.saturated(ctx, in, c, d)
	}
	if err != nil {
		return sample{}, err
	}
	after, err := runTime(in.ID())
	if err != nil {
		return sample{}, err
	}
	if o.Requests == 0 {
		return sample{}, fmt.Errorf("%s answered no request", in.Name())
	}
	cpu := after - before
	return sample{outcome: o, cpu: cpu, perRq: float64(cpu.Nanoseconds()) / 1e3 / float64(o.Requests)}, nil
}

// measureIdle starts each proxy anew for each round, because memory once taken is not always given back.
func (b *bench) measureIdle(ctx context.Context, c benchCase) []row {
	var rows []row
	for _, p := range b.entrants(c) {
		rows = append(rows, row{benchCase: c, proxy: p.name})
	}
	for round := range min(b.rounds, 3) {
		for i, p := range b.entrants(c) {
			if rows[i].failure != nil || ctx.Err() != nil {
				continue
			}
			var s sample
			in, err := p.start(ctx, b.base, c, b.proxyCPUs)
			if err == nil {
				s.perRq, err = idled(ctx, in, c)
				rows[i].rssKB, _ = residentKB(in.ID()) // it has just answered the same question
				in.stop()
			}
			rows[i].samples, rows[i].failure = append(rows[i].samples, s), err
		}
		fmt.Fprintf(b.progress, "  round %d\r", round+1)
	}
	return compare(rows)
}

// compare fills in the ratios to nginx, which is compared with itself so that its row reads 1.
func compare(rows []row) []row {
	base := slices.IndexFunc(rows, func(r row) bool { return r.proxy == "nginx" && r.failure == nil })
	if base < 0 {
		return rows
	}
	for i := range rows {
		for round := range min(len(rows[i].samples), len(rows[base].samples)) {
			if own, other := rows[i].samples[round].perRq, rows[base].samples[round].perRq; own > 0 && other > 0 {
				rows[i].ratios = append(rows[i].ratios, own/other)
			}
		}
	}
	return rows
}
