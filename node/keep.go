package node

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/weir-lb/weir/config/errno"
)

// logMode is the mode of a log file, before the umask.
const logMode = 0o644

// Keep is the life of a keeper: in and out are the pipes that startKeeper made.
// It returns when the node has ended; the node is told what went wrong.
func Keep(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	var task keeperTask
	err = json.Unmarshal(line, &task)
	if err := errors.Join(err, answer(out, err)); err != nil {
		return err
	}
	for {
		word, err := lines.ReadString('\n')
		if err != nil {
			return nil // the node has crashed
		}
		switch word {
		case keeperLogs + "\n":
			err = answer(out, task.makeLogs())
		case keeperFinish + "\n":
			return answer(out, task.removeFiles())
		default:
			err = answer(out, fmt.Errorf("unknown word %q", word))
		}
		if err != nil {
			return err
		}
	}
}

// answer tells the node how it went.
func answer(out io.Writer, result error) error {
	text := keeperDone
	if result != nil {
		text = fmt.Sprintf("%q", result.Error()) // one line, whatever it holds
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// makeLogs gives the log files to the user of the node.
func (t *keeperTask) makeLogs() error {
	a := &account{uid: t.UID, gid: t.GID}
	var errs []error
	for _, path := range t.Logs {
		errs = append(errs, a.own(path, true))
	}
	return errors.Join(errs...)
}

// removeFiles removes the pid file and the sockets.
func (t *keeperTask) removeFiles() error {
	errs := []error{removePID(t.PIDFile, t.PID)}
	for _, path := range t.Sockets {
		errs = append(errs, removeSocket(path))
	}
	return errors.Join(errs...)
}

// removeSocket removes path if it is a unix socket.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return nil // gone already, or not ours
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("unlink() \"%s\" failed (%s)", path, errno.Text(err))
	}
	return nil
}

// own gives the account the regular file or directory path; create makes a
// missing file. Whoever may write the directory must not choose what is given
// away: symbolic links are not followed, and a file with another name is left.
func (a *account) own(path string, create bool) error {
	flags := os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	if create {
		flags = os.O_WRONLY | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	}
	f, err := os.OpenFile(path, flags, logMode)
	switch {
	case errors.Is(err, os.ErrNotExist) && !create, errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO):
		return nil // nothing to give, or something that only looks like a file
	case err != nil:
		return openError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("fstat() \"%s\" failed (%s)", path, errno.Text(err))
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() && (!info.Mode().IsRegular() || of.Nlink != 1) {
		return nil
	}
	if err := f.Chown(a.uid, a.gid); err != nil {
		return fmt.Errorf("fchown(\"%s\", %d) failed (%s)", path, a.uid, errno.Text(err))
	}
	return nil
}

// ownAll gives the account a folder that weir made, with all that is below.
func (a *account) ownAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return a.own(path, false)
	})
}
