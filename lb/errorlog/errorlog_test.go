package errorlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseLevel(t *testing.T) {
	t.Parallel()
	for l := Emerg; l <= Debug; l++ {
		got, err := ParseLevel(l.String())
		if got != l || err != nil {
			t.Errorf("ParseLevel(%q) = %v, %v", l.String(), got, err)
		}
	}
	for _, word := range []string{"", "err", "level(9)"} {
		if l, err := ParseLevel(word); err == nil || err.Error() != fmt.Sprintf("invalid log level %q", word) {
			t.Errorf("ParseLevel(%q) = %v, %v", word, l, err)
		}
	}
}

func TestLineForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		level   Level
		conn    uint64
		message string
		want    string
	}{
		{Error, 1, "connect() failed", "[error] 42#42: *1 connect() failed\n"},
		{Notice, 0, "signal process started", "[notice] 42#42: signal process started\n"},
		{Emerg, 18446744073709551615, "x", "[emerg] 42#42: *18446744073709551615 x\n"},
		{Warn, 2, "a\r\nb\x1b[31m\x7f\tc", "[warn] 42#42: *2 a\\x0D\\x0Ab\\x1B[31m\\x7F\tc\n"},
		{Warn, 2, "naïve", "[warn] 42#42: *2 naïve\n"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		l, err := NewSet(Options{Stderr: &out, PID: 42}).Open([]Target{{Level: Debug, Stderr: true}})
		if err != nil {
			t.Fatal(err)
		}
		l.Log(test.level, test.conn, test.message)
		prefix, rest := out.String()[:20], out.String()[20:]
		if rest != test.want {
			t.Errorf("%q: got %q, want %q", test.message, rest, test.want)
		}
		if !regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d $`).MatchString(prefix) {
			t.Errorf("time is %q", prefix)
		}
	}
}

func TestLongLineIsCut(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := NewSet(Options{Stderr: &out}).Open([]Target{{Level: Error, Stderr: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2000, 2048, 100000} {
		out.Reset()
		l.Log(Error, 1, strings.Repeat("x", n))
		if out.Len() > 2048 || !strings.HasSuffix(out.String(), "x\n") {
			t.Errorf("a message of %d bytes gives a line of %d", n, out.Len())
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	few, many := filepath.Join(dir, "few"), filepath.Join(dir, "many")
	set := NewSet(Options{})
	l, err := set.Open([]Target{{Level: Error, Path: few}, {Level: Info, Path: many}})
	if err != nil {
		t.Fatal(err)
	}
	for level := Emerg; level <= Debug; level++ {
		if got := l.Enabled(level); got != (level <= Info) {
			t.Errorf("Enabled(%v) = %v", level, got)
		}
		l.Logf(level, 0, "says %d", level)
	}
	if got := levelsIn(t, few); got != "emerg alert crit error" {
		t.Errorf("error log of level error has %q", got)
	}
	if got := levelsIn(t, many); got != "emerg alert crit error warn notice info" {
		t.Errorf("error log of level info has %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if open := set.Paths(); len(open) != 0 {
		t.Errorf("still open after Close: %v", open)
	}
}

func levelsIn(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var levels []string
	for _, m := range regexp.MustCompile(`\[(\w+)\]`).FindAllSubmatch(text, -1) {
		levels = append(levels, string(m[1]))
	}
	return strings.Join(levels, " ")
}

func TestNilLogger(t *testing.T) {
	t.Parallel()
	var l *Logger
	if l.Enabled(Emerg) {
		t.Error("a nil logger is enabled")
	}
	l.Log(Emerg, 1, "dropped")
	l.Logf(Emerg, 1, "dropped")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewFunc(t *testing.T) {
	t.Parallel()
	var got []string
	l := NewFunc(Warn, func(level Level, conn uint64, message string) {
		got = append(got, fmt.Sprintf("%v %d %s", level, conn, message))
	})
	l.Log(Notice, 1, "not this")
	l.Log(Warn, 7, "this")
	if fmt.Sprint(got) != "[warn 7 this]" {
		t.Errorf("got %v", got)
	}
}

func TestWriterSplitsLines(t *testing.T) {
	t.Parallel()
	var got []string
	l := NewFunc(Debug, func(_ Level, _ uint64, message string) { got = append(got, message) })
	n, err := l.Writer(Warn).Write([]byte("one\r\n\ntwo\nthree"))
	if n != 15 || err != nil || strings.Join(got, "|") != "one|two|three" {
		t.Errorf("wrote %d, %v: %q", n, err, got)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name   string
		target Target
		want   string
	}{
		{"directory", Target{Path: dir}, `open() "` + dir + `" failed (21: Is a directory)`},
		{"missing folder", Target{Path: dir + "/no/log"}, `open() "` + dir + `/no/log" failed (2: No such file or directory)`},
		{"facility", Target{Syslog: &SyslogOptions{Server: "127.0.0.1:514", Facility: "local9"}}, `unknown syslog facility "local9"`},
		{"server", Target{Syslog: &SyslogOptions{Server: "127.0.0.1"}}, `host not found in syslog server "127.0.0.1"`},
	}
	for _, test := range tests {
		set := NewSet(Options{})
		_, err := set.Open([]Target{{Level: Error, Path: filepath.Join(dir, "first.log")}, test.target})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if open := set.Paths(); len(open) != 0 {
			t.Errorf("%s: left open: %v", test.name, open)
		}
	}
}

// failing is a stream of which nothing can be written to, as on a full disk.
type failing struct{}

func (failing) writeLine(Level, []byte) error { return fmt.Errorf("no space left on device") }
func (failing) Close() error                  { return nil }

func TestFailureIsReportedOncePerMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		l := &Logger{level: Error, stderr: &stderr, outputs: []output{{level: Error, lines: failing{}}}}
		for _, wait := range []time.Duration{0, 0, 59 * time.Second, time.Second, time.Second} {
			<-time.After(wait)
			l.Log(Error, 1, "lost")
		}
		if n := strings.Count(stderr.String(), "[alert] 0#0: error log: no space left on device\n"); n != 2 {
			t.Errorf("reported %d times, want 2: %s", n, &stderr)
		}
	})
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	set := NewSet(Options{})
	l, err := set.Open([]Target{{Level: Error, Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				l.Log(Error, 1, strings.Repeat("y", 300))
			}
		})
	}
	for range 10 {
		if err := set.Reopen(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := regexp.MustCompile(`(?m)^\S+ \S+ \[error\] \d+#\d+: \*1 y{300}$`)
	if n := len(whole.FindAll(text, -1)); n != writers*each {
		t.Errorf("%d whole lines of %d", n, writers*each)
	}
}
