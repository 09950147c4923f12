package errorlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// maxLine is where nginx cuts a line off, its line end included; what reads
// the log may rely on it.
const maxLine = 2048

// complaintInterval keeps a full disk or a missing syslog server from being
// reported more often than nginx does.
const complaintInterval = time.Minute

// Logger writes to the outputs of one `error_log` setting. It is safe for
// concurrent use. A nil Logger drops everything.
type Logger struct {
	level   Level // of the most talkative output
	outputs []output
	pid     int
	lines   sync.Pool // of *[]byte
	stderr  io.Writer // told of outputs that fail

	mu       sync.Mutex
	complain time.Time // when an output's failure was last reported
}

// output is one destination of a Logger.
type output struct {
	level Level
	write func(level Level, conn uint64, message string) // set by NewFunc
	lines lineWriter
}

// lineWriter takes whole lines that end in a line feed.
type lineWriter interface {
	writeLine(level Level, line []byte) error
	io.Closer
}

// Target is one `error_log` directive. Exactly one of Path, Stderr and Syslog
// is given.
type Target struct {
	Level  Level
	Path   string
	Stderr bool
	Syslog *SyslogOptions
}

// Open returns the logger that writes to all targets, and shares their files
// and sockets with the other users of the set. Close gives them back.
func (s *Set) Open(targets []Target) (*Logger, error) {
	l := &Logger{pid: s.pid, stderr: s.stderr}
	for _, t := range targets {
		w, err := s.openTarget(t)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.outputs = append(l.outputs, output{level: t.Level, lines: w})
		l.level = max(l.level, t.Level)
	}
	return l, nil
}

func (s *Set) openTarget(t Target) (lineWriter, error) {
	switch {
	case t.Stderr:
		return streamWriter{s.stderr}, nil
	case t.Syslog != nil:
		return s.OpenSyslog(*t.Syslog)
	default:
		return s.OpenFile(t.Path)
	}
}

// NewFunc returns a logger that hands every line of a level to a function
// instead of writing it. The function must be safe for concurrent use.
func NewFunc(level Level, write func(level Level, conn uint64, message string)) *Logger {
	return &Logger{level: level, outputs: []output{{level: level, write: write}}}
}

// Close gives the outputs back to their set; nothing may be logged afterwards.
func (l *Logger) Close() error {
	if l == nil {
		return nil
	}
	var errs []error
	for _, o := range l.outputs {
		if o.lines != nil {
			errs = append(errs, o.lines.Close())
		}
	}
	return errors.Join(errs...)
}

// Enabled tells whether a line of this level would be written; callers ask
// before they build one.
func (l *Logger) Enabled(level Level) bool { return l != nil && level <= l.level }

// Log writes one line; conn is the connection's number, 0 for none.
func (l *Logger) Log(level Level, conn uint64, message string) {
	if !l.Enabled(level) {
		return
	}
	var line []byte
	for i := range l.outputs {
		o := &l.outputs[i]
		if level > o.level {
			continue
		}
		if o.write != nil {
			o.write(level, conn, message)
			continue
		}
		if line == nil {
			buf, ok := l.lines.Get().(*[]byte)
			if !ok {
				buf = new([]byte)
			}
			defer l.lines.Put(buf)
			*buf = l.appendLine((*buf)[:0], level, conn, message)
			line = *buf
		}
		if err := o.lines.writeLine(level, line); err != nil {
			l.report(err)
		}
	}
}

// Logf writes one line in the manner of fmt.Sprintf; nothing is formatted
// where the level is not written.
func (l *Logger) Logf(level Level, conn uint64, format string, args ...any) {
	if l.Enabled(level) {
		l.Log(level, conn, fmt.Sprintf(format, args...))
	}
}

// appendLine writes the whole line. nginx prints the thread's number behind
// the process's; for a process without threads of its own both are the same.
func (l *Logger) appendLine(dst []byte, level Level, conn uint64, message string) []byte {
	dst = time.Now().AppendFormat(dst, "2006/01/02 15:04:05")
	dst = append(dst, " ["...)
	dst = append(dst, level.String()...)
	dst = append(dst, "] "...)
	dst = strconv.AppendInt(dst, int64(l.pid), 10)
	dst = append(dst, '#')
	dst = strconv.AppendInt(dst, int64(l.pid), 10)
	dst = append(dst, ": "...)
	if conn != 0 {
		dst = append(dst, '*')
		dst = strconv.AppendUint(dst, conn, 10)
		dst = append(dst, ' ')
	}
	dst = appendPrintable(dst, message)
	if len(dst) > maxLine-1 {
		dst = dst[:maxLine-1]
	}
	return append(dst, '\n')
}

// appendPrintable writes control bytes as \xXX, so that what a client sent
// can neither begin a line of its own nor steer a terminal.
func appendPrintable(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s) && len(dst) < maxLine; i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// report tells stderr that an output fails; a log has no better place left.
func (l *Logger) report(err error) {
	now := time.Now()
	l.mu.Lock()
	due := l.complain.IsZero() || now.Sub(l.complain) >= complaintInterval
	if due {
		l.complain = now
	}
	l.mu.Unlock()
	if due {
		line := l.appendLine(nil, Alert, 0, "error log: "+err.Error())
		_, _ = l.stderr.Write(line) // nothing is left to tell if this fails too
	}
}

// streamWriter writes lines to a stream that is not ours to close.
type streamWriter struct{ w io.Writer }

func (s streamWriter) writeLine(_ Level, line []byte) error {
	_, err := s.w.Write(line)
	return err
}

func (s streamWriter) Close() error { return nil }

// Writer returns a stream each of whose lines becomes a line of the log, for
// libraries that know no better way to speak. It is safe for concurrent use.
func (l *Logger) Writer(level Level) io.Writer { return &lineSplitter{log: l, level: level} }

type lineSplitter struct {
	log   *Logger
	level Level
}

// Write logs every line of p; an unfinished last line counts as one.
func (w *lineSplitter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			w.log.Log(w.level, 0, string(line))
		}
	}
	return len(p), nil
}
