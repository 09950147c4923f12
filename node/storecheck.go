package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"

	"github.com/weir-lb/weir/consensus"
)

// Exit codes of a process that looks through a store.
const (
	storeSound   = 0
	storeUnclear = 1 // it could not be looked at
	storeCrash   = 2 // of a Go program that panics
	storeDamaged = 3
)

// CheckStore is the life of a process that looks through the store of agreement
// in a data folder, which may end it. It returns the exit code, and writes what
// is wrong.
func CheckStore(dir string, stderr io.Writer) int {
	err := consensus.CheckStore(dir)
	if err == nil {
		return storeSound
	}
	_, _ = fmt.Fprintln(stderr, err) // the exit code says enough
	if errors.Is(err, consensus.ErrStoreDamaged) {
		return storeDamaged
	}
	return storeUnclear
}

// checkStore looks through a store, in another process if there can be one. Only
// a store that is damaged for sure is called damaged: it would be put aside.
func (o *Options) checkStore(dir string) error {
	if o.StoreCheck == nil {
		return consensus.CheckStore(dir)
	}
	cmd, err := o.StoreCheck(dir)
	if err != nil {
		return fmt.Errorf("looking through the store: %w", err)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return consensus.CheckStore(dir) // the program cannot be reached any more, as after a change of user
	}
	return judgeStore(cmd.Wait(), firstLine(said.Bytes()))
}

// judgeStore tells what the end of a process says of the store it looked at.
func judgeStore(err error, said []byte) error {
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err // nil: all is well
	}
	status, _ := ended.Sys().(syscall.WaitStatus)
	crashed := status.Signaled() && (status.Signal() == syscall.SIGSEGV || status.Signal() == syscall.SIGBUS || status.Signal() == syscall.SIGABRT)
	if code := ended.ExitCode(); code == storeDamaged || code == storeCrash || crashed {
		return fmt.Errorf("%w: %s", consensus.ErrStoreDamaged, said)
	}
	return fmt.Errorf("looking through the store: %w: %s", err, said)
}

// firstLine gives the first line of what a program said; of a crash the reason.
func firstLine(out []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
	return line
}
