package errorlog

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
)

// The levels of log/slog that have no name there.
const (
	SlogNotice = slog.LevelInfo + 2
	SlogCrit   = slog.LevelError + 4
)

// NewHandler lets components that speak log/slog write into an error log; the
// attributes follow the message as "key=value". The time is the log's own.
func NewHandler(l *Logger) slog.Handler { return &handler{log: l} }

type handler struct {
	log    *Logger
	prefix string // of attribute names: the groups opened so far
	attrs  string // those given by With, as they stand in the line
}

// levelOf maps a level of log/slog; those between take the name below them.
func levelOf(l slog.Level) Level {
	switch {
	case l < slog.LevelInfo:
		return Debug
	case l < SlogNotice:
		return Info
	case l < slog.LevelWarn:
		return Notice
	case l < slog.LevelError:
		return Warn
	case l < SlogCrit:
		return Error
	}
	return Crit
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	return h.log.Enabled(levelOf(l))
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, h.prefix, a)
		return true
	})
	h.log.Log(levelOf(r.Level), 0, b.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.prefix, a)
	}
	return &handler{log: h.log, prefix: h.prefix, attrs: b.String()}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, prefix: h.prefix + name + ".", attrs: h.attrs}
}

func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	if a.Equal(slog.Attr{}) {
		return
	}
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			writeAttr(b, prefix, inner)
		}
		return
	}
	text := v.String()
	if strings.ContainsAny(text, " \t\r\n\"=") || text == "" {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + prefix + a.Key + "=" + text)
}
