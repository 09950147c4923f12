package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Lengths of the parts of a profile.
const (
	profileFor = 5 * time.Second
	straceFor  = 3 * time.Second
)

// profile runs weir alone under the first chosen case and looks at it from outside with perf and strace, and from inside
// with Go's profiles where weir offers them. What it finds stays in run/profile/CASE.
func (b *bench) profile(ctx context.Context, w io.Writer) error {
	c := b.cases[0]
	if c.load == idle {
		return fmt.Errorf("case %s makes no load to profile", c.name)
	}
	at := slices.IndexFunc(b.proxies, func(p proxy) bool { return p.name == "weir" })
	if at < 0 {
		return fmt.Errorf("profiles are of weir, which is not among PROXIES")
	}
	weir := b.proxies[at]
	port, err := freePort()
	if err != nil {
		return err
	}
	inside := fmt.Sprintf("127.0.0.1:%d", port)
	weir.env = append(weir.env, "WEIR_PPROF="+inside)
	out := filepath.Join("run", "profile", c.name)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	stop, err := b.prepare(ctx)
	if err != nil {
		return err
	}
	defer stop()
	in, err := weir.start(ctx, b.base, c, b.proxyCPUs)
	if err != nil {
		return err
	}
	defer in.stop()

	fmt.Fprintf(w, "profile of %s under case %s: %s\n\n", weir.versionLine(), c.name, c.about)
	v := view{bench: b, in: in, c: c, inside: inside, out: out}
	for _, part := range []func(context.Context, io.Writer) error{v.goProfiles, v.perf, v.syscalls} {
		if err := part(ctx, w); err != nil {
			fmt.Fprintf(w, "left out: %v\n\n", err)
		}
	}
	return ctx.Err()
}

// view is a look at weir while it runs.
type view struct {
	*bench
	in     *instance
	c      benchCase
	inside string // address of Go's own profiles
	out    string // folder for what is found
}

// underLoad runs a look at weir while the case's load goes on.
func (v view) underLoad(ctx context.Context, d time.Duration, look func() error) error {
	loaded := make(chan error, 1)
	go func() {
		_, err := v.sample(ctx, v.in, v.c, d)
		loaded <- err
	}()
	return cmp.Or(look(), <-loaded)
}

// goProfiles fetches the profiles that net/http/pprof serves. Where weir does not serve them, it says so.
func (v view) goProfiles(ctx context.Context, w io.Writer) error {
	seconds := int(profileFor.Seconds())
	wanted := []string{"profile", "allocs", "mutex", "trace"}
	if err := download(ctx, "http://"+v.inside+"/debug/pprof/cmdline", os.DevNull); err != nil {
		return fmt.Errorf("weir serves no profiles: %w", err)
	}
	err := v.underLoad(ctx, time.Duration(len(wanted))*(profileFor+time.Second), func() error {
		for _, name := range wanted {
			url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", v.inside, name, seconds)
			if err := download(ctx, url, filepath.Join(v.out, name)); err != nil {
				return fmt.Errorf("fetching profiles: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, part := range []struct{ name, index string }{{"profile", "cpu"}, {"allocs", "alloc_space"}, {"mutex", "delay"}} {
		name, index := part.name, part.index
		text, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=25", "-sample_index="+index,
			filepath.Join(v.out, name)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("go tool pprof: %w: %s", err, text)
		}
		fmt.Fprintf(w, "%s (go tool pprof %s):\n\n%s\n", name, filepath.Join(v.out, name), text)
	}
	fmt.Fprintf(w, "scheduler: go tool trace %s\n\n", filepath.Join(v.out, "trace"))
	return nil
}

func download(ctx context.Context, url, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(file, resp.Body)
	return err
}

// perf samples user and kernel stacks.
func (v view) perf(ctx context.Context, w io.Writer) error {
	data := filepath.Join(v.out, "perf.data")
	err := v.underLoad(ctx, profileFor+2*time.Second, func() error {
		text, err := exec.CommandContext(ctx, "perf", "record", "-q", "-g", "-o", data, "-p", strconv.Itoa(v.in.ID()),
			"--", "sleep", fmt.Sprint(profileFor.Seconds())).CombinedOutput()
		if err != nil {
			return fmt.Errorf("perf record: %w: %s", err, bytes.TrimSpace(text))
		}
		return nil
	})
	if err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, "perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.7",
		"-i", data).Output()
	if err != nil {
		return fmt.Errorf("perf report: %w", err)
	}
	fmt.Fprintf(w, "perf (perf report -i %s):\n\n", data)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if line := lines.Text(); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprintln(w)
	return lines.Err()
}

// syscalls counts system calls for each request. strace slows weir down, so waiting looks rarer than it is; reads
// and writes are exact.
func (v view) syscalls(ctx context.Context, w io.Writer) error {
	table := filepath.Join(v.out, "strace.txt")
	tracer := exec.CommandContext(ctx, "strace", "-c", "-f", "-q", "-o", table, "-p", strconv.Itoa(v.in.ID()))
	if err := tracer.Start(); err != nil {
		return fmt.Errorf("strace: %w", err)
	}
	s, err := v.sample(ctx, v.in, v.c, straceFor)
	tracer.Process.Signal(syscall.SIGINT) // an error means that it has ended, as Wait tells
	waited := tracer.Wait()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(table)
	if err != nil || len(text) == 0 {
		return fmt.Errorf("strace wrote no table: %w", cmp.Or(err, waited))
	}
	fmt.Fprintf(w, "system calls for each of %d requests (%s):\n\n", s.Requests, table)
	for _, call := range parseStrace(string(text)) {
		if each := float64(call.count) / float64(s.Requests); each >= 0.005 {
			fmt.Fprintf(w, "  %-16s %6.2f   of them failed %.2f\n", call.name, each, float64(call.failed)/float64(s.Requests))
		}
	}
	fmt.Fprintln(w)
	return nil
}

// syscallCount is one line of strace -c.
type syscallCount struct {
	name          string
	count, failed int
}

// parseStrace reads the table of strace -c: % time, seconds, usecs/call, calls, errors (or nothing), name.
func parseStrace(table string) []syscallCount {
	var counts []syscallCount
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 || len(f) > 6 || f[len(f)-1] == "total" {
			continue
		}
		count, err := strconv.Atoi(f[3])
		if err != nil {
			continue // a heading or a rule
		}
		c := syscallCount{name: f[len(f)-1], count: count}
		if len(f) == 6 {
			c.failed, _ = strconv.Atoi(f[4]) // the column holds numbers only
		}
		counts = append(counts, c)
	}
	return counts
}
