package http2

import "time"

// What a client does that costs us more than it. Each kind has a limit, for a
// client means harm that goes beyond it.
type misuse uint8

const (
	clientResets   misuse = iota // streams that it opened and reset, or opened beyond what it may (CVE-2023-44487)
	serverResets                 // streams that it made us reset (CVE-2025-8671)
	settingsFrames               // each asks for an answer, and may change every window
	pingFrames                   // likewise
	priorityFrames
	windowFrames
	smallWindows  // DATA that is cut into crumbs
	emptyFrames   // DATA without data, header blocks without fields
	uselessFrames // that mean nothing here
	kinds
)

// conductPeriod is the time after which what a client did is forgotten.
const conductPeriod = 10 * time.Second

// conduct counts what a client does to no purpose. It is the reader's.
type conduct struct {
	since  time.Time
	counts [kinds]int
	served int // requests begun in the same time
	sent   int // pieces of DATA sent, for which windows are opened
}

// tick forgets what is long past.
func (c *conduct) tick(now time.Time) {
	if now.Sub(c.since) >= conductPeriod {
		*c = conduct{since: now}
	}
}

// limit returns how much of a kind is too much within a period. Clients that
// do much may also fail often: a browser that leaves a page resets all that it
// had asked for.
func (c *conduct) limit(kind misuse) (most int, reason string) {
	switch kind {
	case clientResets:
		return 300 + c.served/2, "client opened and reset too many streams"
	case serverResets:
		return 100 + c.served/4, "client had too many streams reset"
	case settingsFrames:
		return 100, "client sent too many SETTINGS frames"
	case pingFrames:
		return 500, "client sent too many PING frames"
	case priorityFrames:
		return 1000 + 20*c.served, "client sent too many PRIORITY frames"
	case windowFrames:
		return 2000 + 20*c.served + 4*c.sent, "client sent too many WINDOW_UPDATE frames"
	case smallWindows:
		return 500 + c.sent/2, "client opens windows by a few bytes at a time"
	case emptyFrames:
		return 200, "client sent too many empty frames"
	}
	return 1000, "client sent too many useless frames"
}

// count notes n of a kind; the error ends the connection.
func (c *conduct) count(kind misuse, n int) error {
	c.counts[kind] += n
	if most, reason := c.limit(kind); c.counts[kind] > most {
		return connError(EnhanceYourCalm, reason)
	}
	return nil
}
