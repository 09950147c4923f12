// Package accesslog writes the access log: one line for each request or
// stream session, in the form of a `log_format`, to files, to files named by
// variables, or to syslog.
//
// A Set belongs to one configuration. It compiles formats and opens sinks
// once, however many locations name them, so that all lines of a file pass
// through one buffer. A Log is the `access_log` setting of one location.
// Writing allocates nothing in steady state: the line is put together in a
// pooled buffer without any lock and handed to the sink as a whole.
package accesslog
