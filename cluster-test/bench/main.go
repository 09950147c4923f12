package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: bench [list | profile]

  CASE=a,b       measure these cases only (bench list lists them)
  QUICK=1        three cases in a minute
  ROUNDS=n       rounds of each case (15)
  SECONDS=n      length of one run (2)
  PROXIES=a,b    measure these proxies only, in every case (nginx weir haproxy caddy); nginx is always there
  WEIR=file      the binary of weir (bin/weir)
  BEFORE=file    another binary of weir, to be measured beside it`

func main() {
	// Processes end with the thread that started them; all are started from this one, which lives to the end.
	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := mainError(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainError(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "list":
		for _, c := range cases() {
			fmt.Printf("  %-16s %s\n", c.name, c.about)
		}
		return nil
	case "steady":
		return steadyMain(args[1:])
	case "", "profile":
	default:
		return fmt.Errorf("unknown word %q\n%s", command, usage)
	}
	b, err := newBench(os.Getenv)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if command == "profile" {
		return b.profile(ctx, os.Stdout)
	}
	fmt.Fprintf(b.progress, "this takes about %v\n", b.estimate().Round(10*time.Second))
	rows, err := b.run(ctx)
	if len(rows) > 0 {
		printMachine(os.Stdout, b)
		printTable(os.Stdout, rows)
	}
	return err
}

// newBench reads the wishes from the environment and looks for the programs.
func newBench(getenv func(string) string) (*bench, error) {
	b := &bench{rounds: 15, duration: 2 * time.Second, progress: os.Stderr, asked: getenv("PROXIES") != ""}
	quick := getenv("QUICK") != "" && getenv("QUICK") != "0"
	if quick {
		b.rounds, b.duration = 5, time.Second
	}
	for name, to := range map[string]func(n int){
		"ROUNDS": func(n int) { b.rounds = n }, "SECONDS": func(n int) { b.duration = time.Duration(n) * time.Second },
	} {
		if text := getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > 1000 {
				return nil, fmt.Errorf("%s=%s is not a number from 1 to 1000", name, text)
			}
			to(n)
		}
	}
	var err error
	if b.cases, err = choose(getenv("CASE"), quick); err != nil {
		return nil, err
	}
	b.proxyCPUs, b.loadCPUs = "0", "0"
	switch n := runtime.NumCPU(); {
	case n == 2:
		b.loadCPUs = "1"
	case n > 2:
		b.loadCPUs = fmt.Sprintf("1-%d", n-1)
	default:
		fmt.Fprintln(b.progress, "there is one CPU only: load and proxy share it, and the figures say less")
	}
	b.proxies = proxies(cmp.Or(getenv("WEIR"), "bin/weir"), getenv("BEFORE"))
	if b.asked {
		if err := b.keepAsked(strings.Split(getenv("PROXIES"), ",")); err != nil {
			return nil, err
		}
	}
	return b, b.keepInstalled(b.progress)
}

// keepAsked leaves out the proxies that were not asked for, but nginx.
func (b *bench) keepAsked(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(b.proxies, func(p proxy) bool { return p.name == name }) {
			return fmt.Errorf("there is no proxy %q in PROXIES, only nginx, weir, haproxy and caddy", name)
		}
	}
	b.proxies = slices.DeleteFunc(b.proxies, func(p proxy) bool { return !slices.Contains(names, p.name) && p.name != "nginx" && p.name != "before" })
	return nil
}

// keepInstalled leaves out the proxies that are not installed and tells how to install them; without nginx, wrk or
// weir itself there is nothing to measure.
func (b *bench) keepInstalled(w io.Writer) error {
	missing := func(program string) bool {
		_, err := exec.LookPath(program)
		return err != nil
	}
	var needed, wanted []string
	if missing("wrk") {
		needed = append(needed, "wrk")
	}
	if missing("taskset") {
		needed = append(needed, "util-linux")
	}
	if missing("h2load") {
		wanted = append(wanted, "nghttp2-client")
	}
	b.proxies = slices.DeleteFunc(b.proxies, func(p proxy) bool {
		switch {
		case !missing(p.program):
			return false
		case p.name == "nginx":
			needed = append(needed, p.debian)
		case p.debian != "":
			wanted = append(wanted, p.debian)
		default:
			return false // weir: make built it, and its start tells what is wrong
		}
		return true
	})
	if len(wanted) > 0 {
		fmt.Fprintf(w, "left out, because they are not installed: apt-get install %s\n", strings.Join(wanted, " "))
	}
	if len(needed) > 0 {
		return fmt.Errorf("these are needed: apt-get install %s", strings.Join(needed, " "))
	}
	return nil
}

// estimate is about how long the measurement takes.
func (b *bench) estimate() time.Duration {
	var sum time.Duration
	for _, c := range b.cases {
		n := time.Duration(len(b.entrants(c)))
		if c.load == idle {
			sum += n * time.Duration(min(b.rounds, 3)) * (settle + 4*time.Second)
			continue
		}
		sum += n * (time.Duration(b.rounds)*(b.duration+50*time.Millisecond) + 1500*time.Millisecond)
	}
	return sum
}
