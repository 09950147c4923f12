package node

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/weir-lb/weir/config"
)

// keeper is the node's end of a process with the rights of the start, which
// does what the user of a node may not: it makes log files anew when they are
// reopened, and in the end removes the pid file and the unix sockets. It knows
// two words; the files they are about were fixed before the rights were given
// up. After a crash it leaves everything, as a crash does.
type keeper struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
}

// Words between a node and its keeper.
const (
	keeperLogs   = "logs"   // give the log files to the user, make missing ones
	keeperFinish = "finish" // remove the other files
	keeperDone   = "done"   // the answer, to the task as well
)

// keeperTask is what a keeper is told at its start, as one line of JSON.
type keeperTask struct {
	PID     int // of the node
	PIDFile string
	Sockets []string // paths of unix sockets
	Logs    []string // paths of log files
	UID     int      // whose the log files are
	GID     int
}

// newKeeperTask says what has to be kept for a configuration.
func newKeeperTask(cfg *config.Config, pidFile string, a *account) *keeperTask {
	t := &keeperTask{PID: os.Getpid(), PIDFile: pidFile, Sockets: unixSockets(cfg), UID: a.uid, GID: a.gid}
	for _, u := range fileUses(cfg) {
		if u.write {
			t.Logs = append(t.Logs, u.path)
		}
	}
	return t
}

// startKeeper starts a keeper.
func startKeeper(command func() (*exec.Cmd, error), task *keeperTask) (*keeper, error) {
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
	line, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &keeper{cmd: cmd, in: in, answers: bufio.NewReader(out)}
	if err := k.ask(string(line)); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return k, nil
}

// ask sends a line and waits until the keeper has done what it says.
func (k *keeper) ask(line string) error {
	if _, err := fmt.Fprintln(k.in, line); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	answer, err := k.answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if answer != keeperDone+"\n" {
		return fmt.Errorf("keeper: %s", answer[:len(answer)-1])
	}
	return nil
}

// finish has the keeper remove the files, and waits until it has ended.
func (k *keeper) finish() error {
	return errors.Join(k.ask(keeperFinish), k.in.Close(), k.cmd.Wait())
}
