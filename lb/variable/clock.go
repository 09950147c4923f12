package variable

import (
	"strconv"
	"sync/atomic"
	"time"
)

// AppendSeconds writes a duration as nginx's logs do: seconds and three
// digits of milliseconds. A negative one is written as zero.
func AppendSeconds(dst []byte, d time.Duration) []byte {
	return appendMilliseconds(dst, d.Milliseconds())
}

// AppendUnix writes a time as seconds since 1970 with three digits of
// milliseconds (`$msec`).
func AppendUnix(dst []byte, t time.Time) []byte {
	return appendMilliseconds(dst, t.UnixMilli())
}

func appendMilliseconds(dst []byte, ms int64) []byte {
	ms = max(ms, 0)
	dst = strconv.AppendInt(dst, ms/1000, 10)
	ms %= 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// Layouts of `$time_local` and `$time_iso8601`.
const (
	TimeLocal   = "02/Jan/2006:15:04:05 -0700"
	TimeISO8601 = "2006-01-02T15:04:05-07:00"
)

// clock keeps the current second's texts, so that a second is written out
// once and not for each log line.
type clock struct {
	now atomic.Pointer[second]
}

type second struct {
	unix       int64
	local, iso []byte
}

func (c *clock) second() *second {
	t := time.Now()
	if s := c.now.Load(); s != nil && s.unix == t.Unix() {
		return s
	}
	s := &second{t.Unix(), t.AppendFormat(nil, TimeLocal), t.AppendFormat(nil, TimeISO8601)}
	c.now.Store(s)
	return s
}

// AddClock adds `$msec`, `$time_local` and `$time_iso8601`.
func AddClock(t *Table) {
	c := &clock{}
	t.Add(Variable{Name: "time_local", Get: func(Source) ([]byte, bool) { return c.second().local, true }})
	t.Add(Variable{Name: "time_iso8601", Get: func(Source) ([]byte, bool) { return c.second().iso, true }})
	t.Add(Variable{Name: "msec", Get: func(s Source) ([]byte, bool) {
		return s.Arena().Keep(AppendUnix(s.Arena().Take(), time.Now())), true
	}})
}
