package errorlog

// Logger writes to the outputs of one `error_log` setting. It is safe for
// concurrent use. A nil Logger drops everything.
type Logger struct {
	level Level
	write func(level Level, conn uint64, message string)
}

// Enabled tells whether a line of this level would be written; callers ask
// before they build one.
func (l *Logger) Enabled(level Level) bool { return l != nil && level <= l.level }

// Log writes one line; conn is the connection's number, 0 for none.
func (l *Logger) Log(level Level, conn uint64, message string) {
	if l.Enabled(level) {
		l.write(level, conn, message)
	}
}
