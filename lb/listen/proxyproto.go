package listen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// Lengths of a PROXY protocol header, in bytes.
const (
	maxProxyV1 = 107  // the longest line of version 1
	fixedV2    = 16   // what precedes the addresses in version 2
	maxProxyV2 = 4096 // the longest header of version 2 that nginx takes
)

// ProxyHeader is what a PROXY protocol header says of the connection behind it. The addresses are invalid when the header gives
// none (UNKNOWN, LOCAL, or unix sockets): the connection's own addresses hold then.
type ProxyHeader struct {
	Version     int
	Source      netip.AddrPort
	Destination netip.AddrPort
	TLVs        []proxyproto.TLV // the type-length-value fields of version 2
}

// ErrBrokenHeader is wrapped by the errors of ReadProxy that are the client's fault, as opposed to a failing connection.
var ErrBrokenHeader = errors.New("broken header")

// ReadProxy reads the header that a PROXY protocol speaker sends first, version 1 or 2, and not one byte more. The connection must
// have a descriptor, as those passed to Accept do. It takes at most limit, and clears the read deadline when done. An error of the
// connection that runs out of time satisfies errors.Is(err, os.ErrDeadlineExceeded).
func ReadProxy(conn net.Conn, limit time.Duration) (*ProxyHeader, error) {
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("PROXY protocol on a %T: connection without a descriptor", conn)
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	var scan proxyScanner
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		var done bool
		done, failed = scan.fill(int(fd))
		return done
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return ParseProxy(scan.header)
}

// ParseProxy interprets a complete header.
func ParseProxy(header []byte) (*ProxyHeader, error) {
	r := bufio.NewReader(bytes.NewReader(header))
	h, err := proxyproto.Read(r)
	if err != nil {
		if p := lenient(header); p != nil {
			return p, nil
		}
		return nil, brokenHeader(header, err)
	}
	if r.Buffered() > 0 {
		return nil, brokenHeader(header, errors.New("bytes after the end"))
	}
	p := &ProxyHeader{Version: int(h.Version)}
	if h.Version == 2 {
		if p.TLVs, err = h.TLVs(); err != nil {
			return nil, brokenHeader(header, err)
		}
	}
	if h.Command.IsLocal() {
		return p, nil
	}
	p.Source, p.Destination = addrPort(h.SourceAddr), addrPort(h.DestinationAddr)
	return p, nil
}

// lenient accepts the headers without usable addresses that the library refuses and nginx takes: "PROXY UNKNOWN" with anything
// behind it, and version 2 with an unspecified family.
func lenient(header []byte) *ProxyHeader {
	switch {
	case bytes.HasPrefix(header, []byte("PROXY UNKNOWN")) && bytes.HasSuffix(header, []byte("\r\n")):
		return &ProxyHeader{Version: 1}
	case len(header) >= fixedV2 && bytes.HasPrefix(header, proxyproto.SIGV2) && header[12] == 0x21 && header[13] == 0:
		return &ProxyHeader{Version: 2}
	}
	return nil
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return unmapped(a.AddrPort())
	case *net.UDPAddr:
		return unmapped(a.AddrPort())
	}
	return netip.AddrPort{}
}

func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// brokenHeader words the error as nginx does, with the bytes received.
func brokenHeader(header []byte, cause error) error {
	return fmt.Errorf("%w: %q: %v", ErrBrokenHeader, header, cause)
}

// AppendProxy appends a header to dst that announces a connection from source to destination. Version is 1 or 2. Without two
// valid addresses it announces an unknown connection.
func AppendProxy(dst []byte, version int, source, destination netip.AddrPort) ([]byte, error) {
	var src, to net.Addr
	if source.IsValid() && destination.IsValid() {
		src, to = net.TCPAddrFromAddrPort(unmapped(source)), net.TCPAddrFromAddrPort(unmapped(destination))
	}
	header := proxyproto.HeaderProxyFromAddrs(byte(version), src, to)
	if version == 1 && src == nil {
		return append(dst, "PROXY UNKNOWN\r\n"...), nil
	}
	b, err := header.Format()
	if err != nil {
		return dst, fmt.Errorf("PROXY protocol header: %w", err)
	}
	return append(dst, b...), nil
}

// proxyScanner collects the bytes of one header. It looks at what has arrived before it takes it from the socket, so that what
// follows the header stays there for the next reader.
type proxyScanner struct {
	header []byte
}

// fill takes what belongs to the header and reports whether it is complete. It is false without an error when more must arrive.
func (s *proxyScanner) fill(fd int) (done bool, err error) {
	var buf [512]byte
	for {
		want := s.missing()
		n, err := recv(fd, buf[:min(want, len(buf))], syscall.MSG_PEEK)
		if err == syscall.EAGAIN {
			return false, nil
		}
		if err != nil {
			return true, os.NewSyscallError("recv", err)
		}
		if n == 0 {
			return true, brokenHeader(s.header, io.ErrUnexpectedEOF)
		}
		take, complete, err := s.accept(buf[:n])
		if err != nil {
			return true, err
		}
		if _, err := recv(fd, buf[:take], 0); err != nil {
			return true, os.NewSyscallError("recv", err)
		}
		if complete {
			return true, nil
		}
	}
}

func recv(fd int, p []byte, flags int) (int, error) {
	for {
		n, _, err := syscall.Recvfrom(fd, p, flags)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// missing returns how many bytes may at most be looked at.
func (s *proxyScanner) missing() int {
	switch {
	case !bytes.HasPrefix(s.header, proxyproto.SIGV2[:1]):
		return maxProxyV1 - len(s.header)
	case len(s.header) < fixedV2:
		return fixedV2 - len(s.header)
	default:
		return s.lengthV2() - len(s.header)
	}
}

func (s *proxyScanner) lengthV2() int {
	return fixedV2 + int(s.header[14])<<8 + int(s.header[15])
}

// accept appends to the header what belongs to it and returns how many bytes that was and whether it is now complete.
func (s *proxyScanner) accept(p []byte) (take int, complete bool, err error) {
	first := append(s.header, p...)
	switch {
	case differs(first, proxyproto.SIGV2) && differs(first, []byte("PROXY ")):
		return 0, false, brokenHeader(first, proxyproto.ErrNoProxyProtocol)
	case first[0] == proxyproto.SIGV2[0]:
		return s.acceptV2(p)
	}
	end := bytes.IndexByte(p, '\n')
	if end >= 0 {
		p = p[:end+1]
	}
	s.header = append(s.header, p...)
	if end < 0 && len(s.header) >= maxProxyV1 {
		return 0, false, brokenHeader(s.header, proxyproto.ErrVersion1HeaderTooLong)
	}
	return len(p), end >= 0, nil
}

func (s *proxyScanner) acceptV2(p []byte) (take int, complete bool, err error) {
	if len(s.header) < fixedV2 {
		p = p[:min(len(p), fixedV2-len(s.header))]
	}
	s.header = append(s.header, p...)
	if len(s.header) < fixedV2 {
		return len(p), false, nil
	}
	length := s.lengthV2()
	if length > maxProxyV2 {
		return 0, false, brokenHeader(s.header, errors.New("header is too large"))
	}
	return len(p), len(s.header) == length, nil
}

// differs says whether p and the signature differ where both have bytes.
func differs(p, signature []byte) bool {
	n := min(len(p), len(signature))
	return !bytes.Equal(p[:n], signature[:n])
}
