// Package process starts outside programs for examples, measurements and tests that need real processes: each writes
// into a log file, ends with the process that started it whatever happens, and is stopped by its own id only.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// askEvery is how often Await asks.
const askEvery = 20 * time.Millisecond

// Options tell what to start.
type Options struct {
	Name    string   // in messages
	Program string   // path, or a name to be found in PATH
	Args    []string // without the program itself
	Env     []string // added to our own environment
	Log     string   // file for what it prints; truncated
}

// Process is a running program. It stands in a process group of its own, so that a Ctrl-C at the terminal reaches only
// us and the order of stopping stays ours. Its methods are safe for concurrent use.
//
// The kernel kills it when the thread that called Start ends; a program that starts processes early and lives long does
// so from a locked thread (runtime.LockOSThread), or from one that is not likely to end.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // to be read after done is closed
}

// Start starts a program.
func Start(o Options) (*Process, error) {
	out, err := os.Create(o.Log)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(o.Program, o.Args...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Name, err)
	}
	p := &Process{name: o.Name, log: o.Log, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Name returns the name given to Start.
func (p *Process) Name() string { return p.name }

// ID returns the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State waits for the end and tells how the process ended, as the system words it.
func (p *Process) State() string {
	<-p.done
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Failure waits for the end, which should not have come, and returns it as an error with the last lines printed.
func (p *Process) Failure() error {
	return fmt.Errorf("%s has ended: %s%s", p.name, p.State(), LastLines(p.log, 15))
}

// Await asks until answers returns nil. It is an error when the process ends before that, when it takes longer than the
// limit, or when the context ends.
func (p *Process) Await(ctx context.Context, limit time.Duration, answers func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		err := answers()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.Failure()
		case <-ctx.Done():
			return fmt.Errorf("stopped before %s answered", p.name)
		case <-deadline:
			return fmt.Errorf("%s does not answer within %v: %w%s", p.name, limit, err, LastLines(p.log, 15))
		case <-tick.C:
		}
	}
}

// Signal sends a signal; to a process that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) {
	p.cmd.Process.Signal(s) // the only error is that the process has ended
}

// Stop asks the process to end with the given signal, kills it when that takes longer than the limit, and returns when
// it has ended.
func (p *Process) Stop(ask syscall.Signal, limit time.Duration) {
	p.Signal(ask)
	select {
	case <-p.done:
	case <-time.After(limit):
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// LastLines returns the last n lines of a file, each on a new indented line, to be added to an error message; nothing
// when the file is empty or cannot be read.
func LastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil || len(strings.TrimSpace(string(text))) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	return "\n    " + strings.Join(lines, "\n    ")
}
