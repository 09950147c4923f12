package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
)

// actor is a process of the example: a server or a node. It is started again when it ends, which is what the example is
// about.
type actor struct {
	*process.Process
	kind, name string
	where      string // it is found, in words
	run        func() (*process.Process, error)
	answers    func() error
	explain    func(error) error // of one that does not answer
	end        syscall.Signal    // asks it to end
}

// String names it.
func (a *actor) String() string { return a.kind + " " + a.name }

// actors are the two servers, and then the nodes.
func (s *stage) actors() (list []*actor) {
	for i, name := range []string{"one", "two"} {
		list = append(list, &actor{
			kind: "server", name: name, where: fmt.Sprintf("in the log: 127.0.0.1:%d", s.appPorts[i]), end: syscall.SIGTERM,
			run: func() (*process.Process, error) { return s.startApp(i) }, answers: s.appAnswers(i), explain: func(err error) error { return err },
		})
	}
	for _, n := range s.nodes {
		list = append(list, &actor{
			kind: "node", name: n.name, where: fmt.Sprintf("https://localhost:%d/webapp/", n.httpsPort), end: syscall.SIGQUIT,
			run: n.start, answers: n.answers, explain: n.explain,
		})
	}
	return list
}

// start starts actors together, and waits until all of them answer.
func start(ctx context.Context, actors []*actor) (err error) {
	for _, a := range actors {
		if a.Process, err = a.run(); err != nil {
			return err
		}
	}
	for _, a := range actors {
		if err := a.Await(ctx, startTimeout, a.answers); err != nil {
			return a.explain(err)
		}
	}
	return nil
}

// stop ends those that run, the nodes first.
func stop(actors []*actor) {
	for i := len(actors) - 1; i >= 0; i-- {
		if actors[i].Process != nil {
			actors[i].Signal(actors[i].end)
		}
	}
	for _, a := range actors {
		if a.Process != nil {
			a.Stop(a.end, stopTimeout)
		}
	}
}

// watch waits for Ctrl-C, and starts again after a while what has ended.
func watch(ctx context.Context, actors []*actor, restartAfter time.Duration) error {
	ended, back := make(chan *actor), make(chan *actor)
	tell := func(c chan *actor, a *actor) {
		select {
		case c <- a:
		case <-ctx.Done():
		}
	}
	await := func(a *actor) {
		done := a.Done()
		go func() {
			<-done
			tell(ended, a)
		}()
	}
	for _, a := range actors {
		await(a)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-ended:
			fmt.Printf("--- %s has ended (%v); the others go on; it is started again in %v\n", a, a.State(), restartAfter)
			time.AfterFunc(restartAfter, func() { tell(back, a) })
		case a := <-back:
			p, err := a.run()
			if err != nil {
				return err
			}
			a.Process = p
			await(a)
			fmt.Printf("--- %s is back, process %d\n", a, a.ID())
		}
	}
}
