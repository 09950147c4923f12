package errorlog

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config/errno"
)

// maxSyslogHead bounds priority, time, host name and tag; an error line of
// full length fits behind it.
const maxSyslogHead = 21 + 255 + 1 + 32 + 2

// SyslogOptions is one syslog destination.
type SyslogOptions struct {
	Server   string // "host:port" or "unix:/path"
	Facility string // "local7" if empty
	Severity Level  // of access log lines; Info if 0. Error log lines bear their own level
	Tag      string // "nginx" if empty
	NoHost   bool   // leave out the host name
}

// Syslog sends lines to a syslog server as datagrams in the form of RFC 3164.
// Sending never waits: a datagram that does not fit is lost. It is safe for
// concurrent use.
type Syslog struct {
	set      *Set
	opts     SyslogOptions
	network  string
	address  string
	facility int
	severity Level
	ident    string // what stands between the time and the message
	users    int    // guarded by set.mu

	mu     sync.Mutex
	conn   net.Conn
	raw    syscall.RawConn
	packet []byte
	send   func(fd uintptr) bool // made once, so that sending allocates nothing
	err    error                 // of the last send
}

// facilities returns the names of syslog facilities in the order of their
// numbers.
func facilities() []string {
	return []string{
		"kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
		"ftp", "ntp", "audit", "alert", "cron",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
}

func newSyslog(s *Set, o SyslogOptions) (*Syslog, error) {
	l := &Syslog{set: s, opts: o, severity: o.Severity}
	if l.severity == 0 {
		l.severity = Info
	}
	facility := o.Facility
	if facility == "" {
		facility = "local7"
	}
	if l.facility = slices.Index(facilities(), facility); l.facility < 0 {
		return nil, fmt.Errorf("unknown syslog facility %q", facility)
	}
	if path, ok := strings.CutPrefix(o.Server, "unix:"); ok {
		l.network, l.address = "unixgram", path
	} else {
		addr, err := net.ResolveUDPAddr("udp", o.Server)
		if err != nil {
			return nil, fmt.Errorf("host not found in syslog server %q: %w", o.Server, err)
		}
		l.network, l.address = "udp", addr.String()
	}
	tag := o.Tag
	if tag == "" {
		tag = "nginx"
	}
	l.ident = tag + ": "
	if !o.NoHost && s.hostname != "" {
		l.ident = s.hostname + " " + l.ident
	}
	l.send = l.sendPacket
	return l, nil
}

// writeLine sends a line of the error log.
func (l *Syslog) writeLine(level Level, line []byte) error {
	return l.Send(level, line)
}

// Write sends a line of the access log, with the severity of the options.
func (l *Syslog) Write(line []byte) (int, error) {
	if err := l.Send(l.severity, line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Send sends one line, whose line end stays behind, with a severity of its
// own.
func (l *Syslog) Send(severity Level, line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		if err := l.dial(); err != nil {
			return err
		}
	}
	l.packet = l.appendHead(l.packet[:0], severity)
	l.packet = append(l.packet, bytes.TrimSuffix(line, []byte("\n"))...)
	if err := l.raw.Write(l.send); err != nil {
		l.err = err
	}
	if l.err != nil {
		_ = l.conn.Close() // the next message finds a server that came back
		l.conn = nil
		return fmt.Errorf("send() to syslog server %q failed (%w)", l.opts.Server, errno.Of(l.err))
	}
	return nil
}

// sendPacket makes one attempt; it never asks to be called again, for a
// request must not wait until a log server takes a line.
func (l *Syslog) sendPacket(fd uintptr) bool {
	for {
		_, l.err = syscall.Write(int(fd), l.packet)
		if l.err != syscall.EINTR {
			return true
		}
	}
}

func (l *Syslog) dial() error {
	conn, err := net.Dial(l.network, l.address)
	if err != nil {
		return fmt.Errorf("connect() to syslog server %q failed (%w)", l.opts.Server, errno.Of(err))
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		_ = conn.Close() // never used
		return fmt.Errorf("connect() to syslog server %q failed (%w)", l.opts.Server, errno.Of(err))
	}
	if l.packet == nil {
		l.packet = make([]byte, 0, maxSyslogHead+maxLine)
	}
	l.conn, l.raw = conn, raw
	return nil
}

func (l *Syslog) appendHead(dst []byte, severity Level) []byte {
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(l.facility*8+int(severity)-1), 10)
	dst = append(dst, '>')
	dst = time.Now().AppendFormat(dst, "Jan _2 15:04:05 ")
	return append(dst, l.ident...)
}

// Close gives the sender back; the last user closes its socket.
func (l *Syslog) Close() error {
	l.set.mu.Lock()
	l.users--
	last := l.users == 0
	if last {
		delete(l.set.syslogs, l.opts)
	}
	l.set.mu.Unlock()
	if !last {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	return err
}
