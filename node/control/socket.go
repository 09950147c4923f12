package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/weir-lb/weir/config/errno"
)

// SocketName is the name of the socket in a data folder.
const SocketName = "control.sock"

// maxPath is the longest path that the system takes for a unix socket.
const maxPath = 107

// SocketPath returns where the socket of a data folder is.
func SocketPath(data string) string { return filepath.Join(data, SocketName) }

// listen makes the socket, for its owner alone. One that a dead process has
// left is replaced; one at which somebody answers is not.
func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("the path of the control socket is %d bytes long, the system takes %d: %q", len(path), maxPath, path)
	}
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := unlinkStale(addr); err != nil {
			return nil, err
		}
		l, err = net.ListenUnix("unix", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("bind() to unix:%s failed (%w)", path, errno.Of(err))
	}
	// Whoever comes before this is turned away by acquaint.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("chmod() %q failed (%w)", path, errno.Of(err)), l.Close())
	}
	return l, nil
}

// unlinkStale removes a socket at which nobody answers.
func unlinkStale(addr *net.UnixAddr) error {
	if info, err := os.Lstat(addr.Name); err == nil && info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("control socket %q: there is another file of this name", addr.Name)
	}
	c, err := net.DialUnix("unix", nil, addr)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			err = c.Close()
		}
		return errors.Join(fmt.Errorf("control socket %q: another weir uses it", addr.Name), err)
	}
	if err := os.Remove(addr.Name); err != nil {
		return fmt.Errorf("unlink() %q failed (%w)", addr.Name, errno.Of(err))
	}
	return nil
}

// door is the socket behind which stand only those who may come in.
type door struct {
	*net.UnixListener
	admits func(uid int) bool
	refuse func(user string) // hears of those who are turned away
}

// Accept returns the next connection, which knows its user.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := acquaint(c)
		if err == nil && d.admits(uid) {
			return &visit{c, userName(uid)}, nil
		}
		if err == nil {
			d.refuse(userName(uid))
		}
		_ = c.Close() // nothing was said on it
	}
}

// close removes the socket, if that was not done yet.
func (d *door) close() error {
	if err := d.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// visit is a connection of a user.
type visit struct {
	*net.UnixConn
	user string
}

// acquaint returns the user at the other end, as the system knows it.
func acquaint(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var who *syscall.Ucred
	if failed := raw.Control(func(fd uintptr) {
		who, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); failed != nil {
		return 0, failed
	}
	if err != nil {
		return 0, err
	}
	return int(who.Uid), nil
}

// userName returns what a user is called.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
