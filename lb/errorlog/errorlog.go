// Package errorlog writes the error log: lines with nginx's prefix of time,
// level, process and connection, to files, stderr or syslog.
//
// A Set holds the open outputs of one balancer by name, so that a file named
// by many settings, by an old and a new configuration, or by an access log as
// well is opened once and reopened once. A Logger is one `error_log` setting:
// the outputs it names, each from a level on.
package errorlog

import (
	"fmt"
	"strings"
)

// Level is a severity; lower is worse, as in nginx.
type Level int

// The levels of `error_log`.
const (
	Emerg Level = iota + 1
	Alert
	Crit
	Error
	Warn
	Notice
	Info
	Debug
)

// String returns the word of the configuration and of the log's lines.
func (l Level) String() string {
	switch l {
	case Emerg:
		return "emerg"
	case Alert:
		return "alert"
	case Crit:
		return "crit"
	case Error:
		return "error"
	case Warn:
		return "warn"
	case Notice:
		return "notice"
	case Info:
		return "info"
	case Debug:
		return "debug"
	}
	return fmt.Sprintf("level(%d)", int(l))
}

// ParseLevel returns the level of a word of the configuration, in any case;
// the error is nginx's.
func ParseLevel(word string) (Level, error) {
	for l := Emerg; l <= Debug; l++ {
		if strings.EqualFold(l.String(), word) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("invalid log level %q", word)
}
