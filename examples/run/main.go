// Command run is what `make run` starts: two example application servers and weir in front of them, all on 127.0.0.1 and
// on unprivileged ports, with a certificate it makes. It waits until everything answers, prints what to open, follows
// the access log until Ctrl-C, and ends every process that it started.
//
// The environment chooses ports: HTTP_PORT (8080), HTTPS_PORT (8443), APP1_PORT (3001), APP2_PORT (3002). WEIR names the
// binary (bin/weir), TWIN the Go application server to use where node is missing (bin/twin).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
)

// Patience: with each step of the start, with the applications, and with weir's last requests.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
	restartAfter = 15 * time.Second
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

	var apps []*process.Process
	for i := range s.appPorts {
		app, err := s.startApp(i)
		if err != nil {
			return err
		}
		defer func() { apps[i].Stop(syscall.SIGTERM, stopTimeout) }() // the one that runs then, not this one
		apps = append(apps, app)
	}
	for i, app := range apps {
		if err := app.Await(ctx, startTimeout, s.appAnswers(i)); err != nil {
			return err
		}
	}

	weir, err := s.startWeir()
	if err != nil {
		return err
	}
	defer weir.Stop(syscall.SIGQUIT, stopTimeout)
	if err := weir.Await(ctx, startTimeout, s.weirAnswers); err != nil {
		return s.explain(err)
	}

	s.show(os.Stdout, weir, apps)
	go follow(ctx, filepath.Join(s.dir, "logs", "access.log"), os.Stdout)
	err = s.watch(ctx, weir, apps)
	fmt.Println("\nstopping")
	return err
}

// watch waits for Ctrl-C. An application that dies is what the example is about: it is started again after a while. The
// end of weir is the end of the example.
func (s *stage) watch(ctx context.Context, weir *process.Process, apps []*process.Process) error {
	restart := make([]<-chan time.Time, len(apps))
	for {
		ended := [2]<-chan struct{}{}
		for i, app := range apps {
			if restart[i] == nil {
				ended[i] = app.Done()
			}
		}
		var back int
		select {
		case <-ctx.Done():
			return nil
		case <-weir.Done():
			return s.explain(weir.Failure())
		case <-ended[0]:
			restart[0] = s.mourn(apps[0])
			continue
		case <-ended[1]:
			restart[1] = s.mourn(apps[1])
			continue
		case <-restart[0]:
			back = 0
		case <-restart[1]:
			back = 1
		}
		app, err := s.startApp(back)
		if err != nil {
			return err
		}
		apps[back], restart[back] = app, nil
		fmt.Printf("--- server %s is back, process %d\n", app.Name(), app.ID())
	}
}

func (s *stage) mourn(app *process.Process) <-chan time.Time {
	fmt.Printf("--- server %s has ended (%v); weir goes on with the other one; it is started again in %v\n",
		app.Name(), app.State(), restartAfter)
	return time.After(restartAfter)
}
