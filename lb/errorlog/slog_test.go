package errorlog

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
)

// collect returns a logger and the lines it wrote.
func collect(level Level) (*Logger, *[]string) {
	lines := new([]string)
	return NewFunc(level, func(l Level, _ uint64, message string) {
		*lines = append(*lines, "["+l.String()+"] "+message)
	}), lines
}

func TestSlogLines(t *testing.T) {
	t.Parallel()
	l, lines := collect(Debug)
	log := slog.New(NewHandler(l))
	log.Debug("d")
	log.Info("joined", "node", "b", "members", 3)
	log.Log(t.Context(), SlogNotice, "leader changed")
	log.With("node", "a b").WithGroup("raft").Warn("slow", "took", "2s", slog.Group("disk", "sync", true))
	log.Error("failed", "err", errors.New(`open "x"`), "empty", "")
	log.Log(t.Context(), SlogCrit, "lost")
	want := []string{
		`[debug] d`,
		`[info] joined node=b members=3`,
		`[notice] leader changed`,
		`[warn] slow node="a b" raft.took=2s raft.disk.sync=true`,
		`[error] failed err="open \"x\"" empty=""`,
		`[crit] lost`,
	}
	if got := strings.Join(*lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSlogLevel(t *testing.T) {
	t.Parallel()
	l, lines := collect(Warn)
	log := slog.New(NewHandler(l))
	log.Info("not written")
	log.Warn("written")
	if got := strings.Join(*lines, "\n"); got != "[warn] written" {
		t.Errorf("got %q", got)
	}
}

// TestSlogHandler runs the standard library's own test of handlers.
func TestSlogHandler(t *testing.T) {
	t.Parallel()
	var lines *[]string
	slogtest.Run(t, func(*testing.T) slog.Handler {
		var l *Logger
		l, lines = collect(Debug)
		return NewHandler(l)
	}, func(t *testing.T) map[string]any {
		return parseLine(t, (*lines)[len(*lines)-1])
	})
}

// parseLine turns "[level] message a=1 g.b=2" into the form slogtest expects.
func parseLine(t *testing.T, line string) map[string]any {
	t.Helper()
	level, rest, _ := strings.Cut(line, "] ")
	out := map[string]any{slog.LevelKey: strings.TrimPrefix(level, "[")}
	message, rest, _ := strings.Cut(rest, " ")
	out[slog.MessageKey] = message
	if !strings.Contains(t.Name(), "zero-time") {
		out[slog.TimeKey] = "the log's own"
	}
	for attr := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(attr, "=")
		in, path := out, strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			if _, ok := in[group]; !ok {
				in[group] = map[string]any{}
			}
			in = in[group].(map[string]any)
		}
		in[path[len(path)-1]] = value
	}
	return out
}
