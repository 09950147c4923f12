package errorlog

import (
	"errors"
	"io"
	"os"
	"sync"
)

// Options configures a Set. The zero Options describe the running process.
type Options struct {
	Stderr   io.Writer // os.Stderr if nil
	PID      int       // os.Getpid() if 0
	Hostname string    // sent to syslog; os.Hostname() if empty
}

// Set is the log outputs that one balancer holds open, shared by name and
// counted by use. It is safe for concurrent use.
type Set struct {
	stderr   io.Writer
	pid      int
	hostname string

	mu      sync.Mutex
	files   map[string]*File
	syslogs map[SyslogOptions]*Syslog
}

// NewSet returns a set in which nothing is open.
func NewSet(o Options) *Set {
	s := &Set{
		stderr: o.Stderr, pid: o.PID, hostname: o.Hostname,
		files: map[string]*File{}, syslogs: map[SyslogOptions]*Syslog{},
	}
	if s.stderr == nil {
		s.stderr = os.Stderr
	}
	if s.pid == 0 {
		s.pid = os.Getpid()
	}
	if s.hostname == "" {
		// A host without a name sends its lines without one, as with nohostname.
		s.hostname, _ = os.Hostname()
	}
	return s
}

// OpenFile opens a log file for appending, or counts one more user of it if
// it is open already. Each user closes it once.
func (s *Set) OpenFile(path string) (*File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[path]
	if f == nil {
		file, err := openAppend(path)
		if err != nil {
			return nil, err
		}
		f = &File{set: s, path: path, file: file}
		s.files[path] = f
	}
	f.users++
	return f, nil
}

// OpenSyslog returns the sender to a syslog server, shared like a file. A
// server's host name is resolved at once; its socket is opened by the first
// message.
func (s *Set) OpenSyslog(o SyslogOptions) (*Syslog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.syslogs[o]
	if l == nil {
		var err error
		if l, err = newSyslog(s, o); err != nil {
			return nil, err
		}
		s.syslogs[o] = l
	}
	l.users++
	return l, nil
}

// Reopen flushes every file to where it was and opens its path anew, for
// rotation of logs. A file that cannot be opened goes on as it was; the error
// joins one for each.
func (s *Set) Reopen() error {
	s.mu.Lock()
	open := make([]*File, 0, len(s.files))
	for _, f := range s.files {
		f.users++ // must not be closed while it is being reopened
		open = append(open, f)
	}
	s.mu.Unlock()
	var errs []error
	for _, f := range open {
		errs = append(errs, f.reopen(), f.Close())
	}
	return errors.Join(errs...)
}

// Paths returns the names of the files that are open, in no order.
func (s *Set) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := make([]string, 0, len(s.files))
	for p := range s.files {
		paths = append(paths, p)
	}
	return paths
}
