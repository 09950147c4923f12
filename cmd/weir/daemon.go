package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/weir-lb/weir/node"
)

// The roles of a process that weir starts of itself, told by the variable
// roleVariable in its environment.
const (
	roleVariable = "WEIR_ROLE"
	roleDaemon   = "daemon" // serves; file descriptor readyFD waits for its start
	roleKeeper   = "keeper" // cleans up after a node without rights
	roleChecker  = "store"  // looks through the store of agreement in a data folder
)

// readyFD is where a daemon says that it serves, by closing after one byte.
const readyFD = 3

// startDaemon starts weir again with the same arguments, in a session of its
// own, and returns when it serves. Until then it writes to our stderr.
func startDaemon(args []string) error {
	cmd, err := self(roleDaemon)
	if err != nil {
		return err
	}
	cmd.Args = args
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, theirs.Close())
	}
	if err := theirs.Close(); err != nil {
		return err
	}
	if n, err := io.ReadFull(ready, make([]byte, 1)); n == 1 {
		return nil
	} else if waitErr := cmd.Wait(); waitErr != nil {
		return fmt.Errorf("daemon: %w", waitErr) // it has told why
	} else {
		return fmt.Errorf("daemon: %w", err)
	}
}

// self gives a command that runs this program in a role.
func self(role string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd, nil
}

// newKeeper gives the command of a keeper.
func newKeeper() (*exec.Cmd, error) {
	cmd, err := self(roleKeeper)
	if err == nil {
		cmd.Args = []string{"weir: keeper"}
	}
	return cmd, err
}

// newChecker gives the command of a process that looks through a store, which
// may end by what it finds.
func newChecker(dir string) (*exec.Cmd, error) {
	cmd, err := self(roleChecker)
	if err == nil {
		cmd.Args = []string{"weir: store check", dir}
	}
	return cmd, err
}

// keep is the keeper's life.
func keep() error {
	// The init system may signal every process of the service; this one ends
	// when its node has ended.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	return node.Keep(os.Stdin, os.Stdout)
}

// detach leaves the terminal: a daemon that serves has no use for it. What the
// runtime writes to stderr when a goroutine panics is lost without a log file.
func detach() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("dup3(%d): %w", fd, err)
		}
	}
	ready := os.NewFile(readyFD, "ready")
	if _, err := ready.Write([]byte{1}); err != nil {
		return fmt.Errorf("telling that the daemon serves: %w", err)
	}
	return ready.Close()
}
