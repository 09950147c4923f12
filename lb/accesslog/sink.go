package accesslog

import (
	"io"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
)

// sink takes whole lines. It is safe for concurrent use.
type sink interface {
	write(line []byte)
	close() error
}

// direct hands each line on at once: a file without buffer=, or syslog.
type direct struct {
	out    io.WriteCloser
	report *reporter
}

func (d *direct) write(line []byte) {
	if _, err := d.out.Write(line); err != nil {
		d.report.failed(err)
	}
}

func (d *direct) close() error { return d.out.Close() }

// reportInterval is how often nginx repeats that a log cannot be written.
const reportInterval = time.Minute

// reporter tells the error log that a sink fails, and does not repeat it for
// every line.
type reporter struct {
	log *errorlog.Logger

	mu   sync.Mutex
	last time.Time
}

func (r *reporter) failed(err error) {
	now := time.Now()
	r.mu.Lock()
	due := r.last.IsZero() || now.Sub(r.last) >= reportInterval
	if due {
		r.last = now
	}
	r.mu.Unlock()
	if due {
		r.log.Logf(errorlog.Alert, 0, "%v while logging request", err)
	}
}
