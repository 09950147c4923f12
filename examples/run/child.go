package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a process of ours. It writes into a log file, stands in a process group of its own, so that a Ctrl-C reaches
// only us and the order of stopping stays ours, and dies with us whatever happens.
type child struct {
	name string
	log  string // path of what it prints
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// start starts a program; log is truncated first.
func start(name, log string, env []string, program string, args ...string) (*child, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	c := &child{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// state tells how the process ended, as the system words it.
func (c *child) state() string {
	if c.err == nil {
		return "exit status 0"
	}
	return c.err.Error()
}

// failure is the error of a process that ended although it should run, with the last lines it printed.
func (c *child) failure() error {
	return fmt.Errorf("%s has ended: %s%s", c.name, c.state(), lastLines(c.log, 15))
}

// await asks until the process answers; an error when it ends before, or takes longer than the limit.
func (c *child) await(ctx context.Context, limit time.Duration, answers func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := answers()
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return c.failure()
		case <-ctx.Done():
			return fmt.Errorf("stopped before %s answered", c.name)
		case <-deadline:
			return fmt.Errorf("%s does not answer within %v: %w%s", c.name, limit, err, lastLines(c.log, 15))
		case <-tick.C:
		}
	}
}

// stop asks the process to end with the given signal, and ends it when it takes too long.
func (c *child) stop(ask syscall.Signal, limit time.Duration) {
	c.cmd.Process.Signal(ask) // an error means that it has ended
	select {
	case <-c.done:
	case <-time.After(limit):
		c.cmd.Process.Kill()
		<-c.done
	}
}

// lastLines returns the end of a file, indented, for error messages; nothing when there is nothing.
func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil || len(strings.TrimSpace(string(text))) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	return "\n    " + strings.Join(lines, "\n    ")
}
