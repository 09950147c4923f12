package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// quantile returns the value below which the share q of the values lies, between neighbours in proportion; 0 for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	at := q * float64(len(v)-1)
	low := int(at)
	if low == len(v)-1 {
		return v[low]
	}
	return v[low] + (v[low+1]-v[low])*(at-float64(low))
}

// over takes one figure of each sample.
func (r row) over(figure func(s sample) float64) []float64 {
	values := make([]float64, len(r.samples))
	for i, s := range r.samples {
		values[i] = figure(s)
	}
	return values
}

// printTable writes the rows as Markdown.
func printTable(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| case | proxy | cost of one | ratio to nginx | middle half | rounds | requests/s | p50 ms | p99 ms | busy | RSS MB | failed |")
	fmt.Fprintln(w, "|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range rows {
		fmt.Fprintln(w, r.line())
	}
}

func (r row) line() string {
	if r.failure != nil {
		words := strings.Join(strings.Fields(r.failure.Error()), " ")
		return fmt.Sprintf("| %s | %s | failed: %s | | | | | | | | | |", r.benchCase.name, r.proxy, strings.ReplaceAll(words, "|", "/"))
	}
	if len(r.samples) == 0 {
		return fmt.Sprintf("| %s | %s | not measured | | | | | | | | | |", r.benchCase.name, r.proxy)
	}
	ratio, half := "", ""
	if len(r.ratios) > 0 {
		ratio = fmt.Sprintf("%.2f", quantile(r.ratios, 0.5))
		half = fmt.Sprintf("%.2f to %.2f", quantile(r.ratios, 0.25), quantile(r.ratios, 0.75))
	}
	perRq := quantile(r.over(func(s sample) float64 { return s.perRq }), 0.5)
	if r.benchCase.load == idle {
		return fmt.Sprintf("| %s | %s | %.1f KB | %s | %s | %d | | | | | %.0f | |",
			r.benchCase.name, r.proxy, perRq, ratio, half, len(r.samples), float64(r.rssKB)/1024)
	}
	failed := 0
	for _, s := range r.samples {
		failed += s.Failed
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	return fmt.Sprintf("| %s | %s | %.1f µs | %s | %s | %d | %.0f | %.2f | %.2f | %.2f | %.0f | %d |",
		r.benchCase.name, r.proxy, perRq, ratio, half, len(r.samples),
		quantile(r.over(func(s sample) float64 { return float64(s.Requests) / s.Took.Seconds() }), 0.5),
		quantile(r.over(func(s sample) float64 { return ms(s.P50) }), 0.5),
		quantile(r.over(func(s sample) float64 { return ms(s.P99) }), 0.5),
		quantile(r.over(func(s sample) float64 { return s.cpu.Seconds() / s.Took.Seconds() }), 0.5),
		float64(r.rssKB)/1024, failed)
}

// printMachine writes what the figures depend on.
func printMachine(w io.Writer, b *bench) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	fmt.Fprintf(w, "%s, %d CPUs (proxy on CPU %s, load and backends on %s), Linux %s, %s; %d rounds of %v; %s\n",
		cpuModel(), runtime.NumCPU(), b.proxyCPUs, b.loadCPUs, strings.TrimSpace(string(kernel)), runtime.Version(),
		b.rounds, b.duration, time.Now().Format(time.DateOnly))
	for _, p := range b.proxies {
		fmt.Fprintln(w, "-", p.versionLine())
	}
	fmt.Fprintln(w)
}

func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown CPU"
}
