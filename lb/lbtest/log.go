package lbtest

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log is what a balancer has logged. It is safe for concurrent use.
type Log struct {
	path string // of the file; empty: it is in text

	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything that was logged.
func (l *Log) String() string {
	if l.path != "" {
		text, err := os.ReadFile(l.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing was logged yet
			return err.Error()
		}
		return string(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the lines logged so far.
func (l *Log) Lines() []string {
	return strings.FieldsFunc(l.String(), func(r rune) bool { return r == '\n' })
}

// Await waits until something was logged.
func (l *Log) Await(tb testing.TB, part string) {
	tb.Helper()
	Await(tb, func() bool { return strings.Contains(l.String(), part) }, func() string {
		return "log without " + part + ":\n" + l.String()
	})
}

// AwaitLines waits until n lines were logged, and returns them.
func (l *Log) AwaitLines(tb testing.TB, n int) []string {
	tb.Helper()
	Await(tb, func() bool { return len(l.Lines()) >= n }, func() string { return "too few lines:\n" + l.String() })
	return l.Lines()
}

// Await waits until done, and fails the test with what state tells when
// Patience is over.
func Await(tb testing.TB, done func() bool, state func() string) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(Patience); !done(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatal("waited in vain: " + state())
		}
	}
}

// FileLog returns the log that is written into a file.
func FileLog(path string) *Log { return &Log{path: path} }
