package node

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/weir-lb/weir/config/errno"
)

// Numbers of <linux/capability.h> and <linux/prctl.h> that syscall does not have.
const (
	capVersion3       = 0x20080522
	capNetBindService = 10
	prSetKeepCaps     = 8
)

// capHeader and capData are the arguments of capget(2) and capset(2).
type capHeader struct {
	version uint32
	pid     int32
}

type capData struct {
	effective, permitted uint32
	_                    uint32 // inheritable: a child gets nothing
}

// errCgo tells why the capability was not kept.
var errCgo = errors.New("weir was built with cgo, which cannot change the capabilities of all threads")

// become turns the whole process into a, for good. CAP_NET_BIND_SERVICE stays
// if the process has it, so that a reload can bind ports below 1024; if it
// cannot stay, kept tells why, and the process has become a nevertheless.
func (a *account) become() (kept, err error) {
	kept = keepCapabilities()
	if err := syscall.Setgroups(a.groups); err != nil {
		return nil, fmt.Errorf("setgroups(%v) failed (%s)", a.groups, errno.Text(err))
	}
	if err := syscall.Setgid(a.gid); err != nil {
		return nil, fmt.Errorf("setgid(%d) failed (%s)", a.gid, errno.Text(err))
	}
	if err := syscall.Setuid(a.uid); err != nil {
		return nil, fmt.Errorf("setuid(%d) failed (%s)", a.uid, errno.Text(err))
	}
	if kept != nil {
		return kept, nil // setuid has cleared every capability
	}
	if err := limitCapabilities(); err != nil {
		return nil, err
	}
	return nil, nil
}

// keepCapabilities makes the next setuid keep the permitted capabilities of all
// threads.
func keepCapabilities() error {
	_, _, no := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, prSetKeepCaps, 1, 0)
	switch no {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return errCgo
	}
	return fmt.Errorf("prctl(PR_SET_KEEPCAPS) failed (%s)", errno.Text(no))
}

// limitCapabilities gives up every capability but CAP_NET_BIND_SERVICE, which
// becomes effective again if it is permitted.
func limitCapabilities() error {
	header := capHeader{version: capVersion3}
	var data [2]capData
	if _, _, no := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); no != 0 {
		return fmt.Errorf("capget() failed (%s)", errno.Text(no))
	}
	bind := data[0].permitted & (1 << capNetBindService)
	data = [2]capData{{effective: bind, permitted: bind}}
	// The kernel applies a zero pid to the calling thread; here each calls.
	if _, _, no := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); no != 0 {
		return fmt.Errorf("capset() failed (%s)", errno.Text(no))
	}
	_, _, no := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, prSetKeepCaps, 0, 0)
	if no != 0 {
		return fmt.Errorf("prctl(PR_SET_KEEPCAPS) failed (%s)", errno.Text(no))
	}
	return nil
}
