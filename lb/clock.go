package lb

import (
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/wire"
)

// clock holds what need not be newer than a second: the value of Date, and
// wire.Now.
type clock struct {
	text atomic.Pointer[[]byte]
	mono atomic.Int64
}

func (c *clock) set(now time.Time) {
	c.mono.Store(wire.Now())
	text := http1.AppendDate(nil, now)
	c.text.Store(&text)
}

func (c *clock) date() []byte { return *c.text.Load() }
