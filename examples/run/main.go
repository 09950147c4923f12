// Command run is what `make run` starts: two example application servers and three nodes of weir in front of them, which
// form a cluster, all on 127.0.0.1 and on unprivileged ports, with a certificate it makes. It waits until everything
// answers, prints what to open and what to kill, follows the access logs until Ctrl-C, starts again what ends, and in the
// end stops every process that it started.
//
// The environment chooses ports: HTTP_PORT (8080) and HTTPS_PORT (8443) of the first node, the others have the next ones;
// CLUSTER_PORT (7946) and the five behind it for what nodes tell each other; APP1_PORT (3001), APP2_PORT (3002). WEIR
// names the binary (bin/weir), TWIN the Go application server to use where node is missing (bin/twin). RESTART_AFTER (15s)
// is how long what has ended is left alone.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Patience: with each step of the start, with the applications, and with weir's last requests.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "make run:", err)
		os.Exit(1)
	}
}

// run is the whole story: look, prepare, start, show, follow, stop.
func run() error {
	// Processes end with the thread that started them; all are started from this one, which lives to the end.
	runtime.LockOSThread()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()

	s, err := newStage(os.Getenv)
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	fmt.Println(s.about)

	actors := s.actors()
	defer stop(actors)
	if err := start(ctx, actors[:len(s.appPorts)]); err != nil {
		return err
	}
	if err := start(ctx, actors[len(s.appPorts):]); err != nil {
		return err
	}
	s.show(os.Stdout, actors)
	for _, n := range s.nodes {
		go follow(ctx, n.log("access.log"), os.Stdout)
	}
	err = watch(ctx, actors, s.restartAfter)
	fmt.Println("\nstopping")
	return err
}
