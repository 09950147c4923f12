package static

import (
	"strconv"
	"time"

	"github.com/weir-lb/weir/config"
)

// Expiry is what `expires` adds to a reply, in place of what stood there.
type Expiry struct {
	Expires time.Time // for the Expires field
	MaxAge  int64     // for Cache-Control, in seconds; -1: no-cache
}

// AppendCacheControl appends the value of Cache-Control.
func (x Expiry) AppendCacheControl(dst []byte) []byte {
	if x.MaxAge < 0 {
		return append(dst, "no-cache"...)
	}
	return strconv.AppendInt(append(dst, "max-age="...), x.MaxAge, 10)
}

// Fixed values of `expires`: a date in the past that is not the epoch itself,
// which some clients take for no date, and ten years for "max".
const (
	epochSeconds = 1
	maxAgeOfMax  = 10 * 365 * 24 * 60 * 60
)

// Expires computes what an `expires` directive adds to a reply made now of
// something last modified then (zero: unknown); ok is false where it is off.
// For ExpiresText, text is the value of its variables. The caller applies it
// to the replies nginx does: 200, 201, 204, 206, 301, 302, 303, 304, 307 and
// 308.
func Expires(e config.Expires, text []byte, now, modified time.Time) (x Expiry, ok bool) {
	if e.Kind == config.ExpiresText {
		if len(text) == 0 {
			return x, false
		}
		if e, ok = config.ParseExpires(string(text), e.Modified); !ok {
			return x, false
		}
	}
	switch e.Kind {
	case config.ExpiresOff:
		return x, false
	case config.ExpiresEpoch:
		return Expiry{time.Unix(epochSeconds, 0).UTC(), -1}, true
	case config.ExpiresMax:
		return Expiry{time.Date(2037, time.December, 31, 23, 55, 55, 0, time.UTC), maxAgeOfMax}, true
	case config.ExpiresDaily:
		at := nextTime(now, e.Time)
		return Expiry{at, int64(at.Sub(now.Truncate(time.Second)) / time.Second)}, true
	}
	from := now
	if e.Kind == config.ExpiresModified && !modified.IsZero() && e.Time != 0 {
		from = modified
	}
	at := from.Add(e.Time)
	age := at.Unix() - now.Unix()
	if e.Time < 0 || age < 0 {
		return Expiry{at.UTC(), -1}, true
	}
	return Expiry{at.UTC(), age}, true
}

// nextTime returns when it is that time of the local day the next time.
func nextTime(now time.Time, ofDay time.Duration) time.Time {
	year, month, day := now.Date()
	s := int(ofDay / time.Second)
	at := time.Date(year, month, day, 0, 0, s, 0, now.Location())
	if !at.After(now) {
		at = time.Date(year, month, day+1, 0, 0, s, 0, now.Location())
	}
	return at.UTC()
}
