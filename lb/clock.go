package lb

import (
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/http1"
)

// clock holds the value of Date, made once a second.
type clock struct{ text atomic.Pointer[[]byte] }

func (c *clock) set(now time.Time) {
	text := http1.AppendDate(nil, now)
	c.text.Store(&text)
}

func (c *clock) date() []byte { return *c.text.Load() }
