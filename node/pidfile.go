package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/weir-lb/weir/config/errno"
)

// pidLimit bounds what is read of a pid file; no pid is longer.
const pidLimit = 32

// writePID makes the pid file name hold pid. A new file appears with its
// content in it: who waits for it may read it at once. What is no regular file
// (/dev/null, a symbolic link) and what stands in a folder that cannot be
// written is written in place.
func writePID(name string, pid int) error {
	text := []byte(strconv.Itoa(pid) + "\n")
	info, err := os.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		return writeInPlace(name, text)
	}
	temp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return writeInPlace(name, text)
	}
	if _, err = temp.Write(text); err == nil {
		err = temp.Chmod(0o644)
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // the error that counts is the one above
		return fmt.Errorf("write() \"%s\" failed (%s)", name, errno.Text(err))
	}
	return nil
}

func writeInPlace(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return openError(name, err)
	}
	_, err = f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write() \"%s\" failed (%s)", name, errno.Text(err))
	}
	return nil
}

// readPID gives the pid that the pid file name holds.
func readPID(name string) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, openError(name, err)
	}
	defer f.Close()
	var text [pidLimit]byte
	n, err := f.Read(text[:])
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read() \"%s\" failed (%s)", name, errno.Text(err))
	}
	word := bytes.TrimRight(text[:n], "\r\n")
	pid, err := strconv.Atoi(string(word))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf(`invalid PID number "%s" in "%s"`, word, name)
	}
	return pid, nil
}

// removePID removes the pid file name unless it belongs to another process,
// which may have been started with the same configuration meanwhile.
func removePID(name string, pid int) error {
	held, err := readPID(name)
	if err != nil || held != pid {
		return nil // gone already, or not ours
	}
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("unlink() \"%s\" failed (%s)", name, errno.Text(err))
	}
	return nil
}

// errKill marks that a pid file was fine but its process could not be reached.
var errKill = errors.New("kill")

// sendSignal sends sig to the process that the pid file name holds.
func sendSignal(name string, sig syscall.Signal) error {
	pid, err := readPID(name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("%w(%d, %d) failed (%s)", errKill, pid, int(sig), errno.Text(err))
	}
	return nil
}
