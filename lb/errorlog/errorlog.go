// Package errorlog writes the error log: lines with nginx's prefix of time,
// level, process and connection, to files, stderr or syslog.
package errorlog

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
