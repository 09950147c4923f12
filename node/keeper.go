package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// keeper is a process with the rights of the start. It does nothing until the
// node has ended cleanly; then it removes the pid file and the unix sockets,
// which stand in directories the node's user cannot write. It takes no
// instruction but that one: what to remove was fixed before the rights were
// given up. After a crash it leaves everything, as a crash does.
type keeper struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done *bufio.Reader
}

// Words between a node and its keeper.
const (
	keeperReady = "ready"
	keeperGo    = "go"
	keeperDone  = "done"
)

// startKeeper starts a keeper for the process pid.
func startKeeper(command func() (*exec.Cmd, error), pid int, pidFile string, sockets []string) (*keeper, error) {
	cmd, err := command()
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// Signals to the process group of the node are not meant for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &keeper{cmd: cmd, in: in, done: bufio.NewReader(out)}
	task := strconv.Itoa(pid) + "\x00" + pidFile + "\x00"
	for _, path := range sockets {
		task += path + "\x00"
	}
	_, err = fmt.Fprintf(in, "%q\n", task)
	if err = errors.Join(err, k.expect(keeperReady)); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return k, nil
}

// finish has the keeper remove the files, and waits until they are gone.
func (k *keeper) finish() error {
	_, err := fmt.Fprintln(k.in, keeperGo)
	return errors.Join(err, k.expect(keeperDone), k.in.Close(), k.cmd.Wait())
}

// expect reads a word of the keeper.
func (k *keeper) expect(word string) error {
	line, err := k.done.ReadString('\n')
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if line != word+"\n" {
		return fmt.Errorf("keeper: %q instead of %q", line, word)
	}
	return nil
}

// Keep is the keeper's part: in and out are the pipes that startKeeper made. It
// returns when the node has ended.
func Keep(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	pid, files, err := parseTask(line)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, keeperReady); err != nil {
		return err
	}
	if line, err = lines.ReadString('\n'); err != nil || line != keeperGo+"\n" {
		return nil // the node has crashed
	}
	if files[0] != "" {
		err = removePID(files[0], pid)
	}
	for _, path := range files[1:] {
		err = errors.Join(err, removeSocket(path))
	}
	if err != nil {
		_, writeErr := fmt.Fprintf(out, "%q\n", err)
		return errors.Join(err, writeErr)
	}
	_, err = fmt.Fprintln(out, keeperDone)
	return err
}

// parseTask takes apart what startKeeper wrote: the node's pid, the pid file
// and the sockets.
func parseTask(line string) (pid int, files []string, err error) {
	task, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
	if err != nil {
		return 0, nil, fmt.Errorf("task %q: %w", line, err)
	}
	words := strings.Split(strings.TrimSuffix(task, "\x00"), "\x00")
	if len(words) < 2 {
		return 0, nil, fmt.Errorf("task %q is too short", line)
	}
	pid, err = strconv.Atoi(words[0])
	return pid, words[1:], err
}

// removeSocket removes path if it is a unix socket.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return nil // gone already, or not ours
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("unlink() \"%s\" failed (%s)", path, errnoText(err))
	}
	return nil
}
