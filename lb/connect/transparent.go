package connect

import (
	"strings"
	"syscall"
)

// The options of ip(7) and ipv6(7) that package syscall does not name for both.
const (
	optionIPTransparent   = 19
	optionIPv6Transparent = 75
)

// beTransparent lets a socket be bound to an address that is not this
// machine's, which takes CAP_NET_ADMIN or CAP_NET_RAW.
func beTransparent(network, _ string, c syscall.RawConn) error {
	level, option := syscall.IPPROTO_IP, optionIPTransparent
	if strings.HasSuffix(network, "6") {
		level, option = syscall.IPPROTO_IPV6, optionIPv6Transparent
	}
	var failed error
	err := c.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), level, option, 1) })
	if err != nil {
		return err
	}
	return failed
}
