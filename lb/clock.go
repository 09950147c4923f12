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
	said atomic.Pointer[said]
	mono atomic.Int64
}

// said is what a reply says of the time and of weir.
type said struct {
	date []byte // value of Date
	lead []byte // http1.HeadOptions.Lead, with the usual value of Server
}

// set makes it now; server is the usual value of Server.
func (c *clock) set(now time.Time, server []byte) {
	c.mono.Store(wire.Now())
	date := http1.AppendDate(nil, now)
	c.said.Store(&said{date: date, lead: http1.AppendLead(nil, server, date)})
}

func (c *clock) date() []byte { return c.said.Load().date }
