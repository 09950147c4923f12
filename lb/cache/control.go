package cache

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// control is what the Cache-Control fields of a message say (RFC 9111, 5.2).
// Times are in seconds, -1 where they are not given.
type control struct {
	noStore, noCache, private, public               bool
	mustRevalidate, proxyRevalidate, mustUnderstand bool
	onlyIfCached                                    bool
	maxAge, sMaxAge, minFresh, maxStale             int64
	staleWhile, staleError                          int64
	noCacheFields, privateFields                    []byte // the lists of their qualified forms
}

// anyTime stands for max-stale without a number, and for numbers too large to
// matter.
const anyTime = 1 << 31

// controlOf reads all Cache-Control fields of a head.
func controlOf(h *request.Head) control {
	c := control{maxAge: -1, sMaxAge: -1, minFresh: -1, maxStale: -1, staleWhile: -1, staleError: -1}
	i := h.First(request.FieldCacheControl)
	if i < 0 {
		return c
	}
	for ; i < len(h.Fields); i++ {
		if h.Fields[i].ID == request.FieldCacheControl {
			c.read(h.Value(&h.Fields[i]))
		}
	}
	return c
}

func (c *control) read(list []byte) {
	for {
		list = bytes.TrimLeft(list, " \t,")
		if len(list) == 0 {
			return
		}
		var name, arg []byte
		var given bool
		name, arg, given, list = nextDirective(list)
		c.set(name, arg, given)
	}
}

// nextDirective cuts one directive off a list. An argument may be a token or
// a quoted string; what is not well-formed ends at the next comma.
func nextDirective(list []byte) (name, arg []byte, given bool, rest []byte) {
	end := bytes.IndexAny(list, "=,")
	if end < 0 {
		return bytes.TrimRight(list, " \t"), nil, false, nil
	}
	name = bytes.TrimRight(list[:end], " \t")
	if list[end] == ',' {
		return name, nil, false, list[end+1:]
	}
	list = bytes.TrimLeft(list[end+1:], " \t")
	if len(list) > 0 && list[0] == '"' {
		if close := bytes.IndexByte(list[1:], '"'); close >= 0 {
			return name, list[1 : 1+close], true, list[close+2:]
		}
	}
	arg, rest, _ = bytes.Cut(list, []byte(","))
	return name, bytes.TrimRight(arg, " \t"), true, rest
}

func (c *control) set(name, arg []byte, given bool) {
	is := func(word string) bool { return request.EqualFold(name, []byte(word)) }
	switch {
	case is("max-age"):
		atMost(&c.maxAge, arg)
	case is("s-maxage"):
		atMost(&c.sMaxAge, arg)
	case is("no-cache"):
		qualified(&c.noCache, &c.noCacheFields, arg, given)
	case is("private"):
		qualified(&c.private, &c.privateFields, arg, given)
	case is("no-store"):
		c.noStore = true
	case is("public"):
		c.public = true
	case is("must-revalidate"):
		c.mustRevalidate = true
	case is("proxy-revalidate"):
		c.proxyRevalidate = true
	case is("must-understand"):
		c.mustUnderstand = true
	case is("only-if-cached"):
		c.onlyIfCached = true
	case is("min-fresh"):
		c.minFresh = seconds(arg)
	case is("max-stale"):
		if c.maxStale = anyTime; given {
			c.maxStale = seconds(arg)
		}
	case is("stale-while-revalidate"):
		c.staleWhile = seconds(arg)
	case is("stale-if-error"):
		c.staleError = seconds(arg)
	}
}

// atMost takes the smaller of repeated times; one that is not a number counts
// as over already (RFC 9111, 4.2.1).
func atMost(to *int64, arg []byte) {
	n := max(seconds(arg), 0)
	if *to < 0 || n < *to {
		*to = n
	}
}

// qualified notes a directive that a list of fields may restrict. Two lists
// count as none: then it holds for all of the message.
func qualified(whole *bool, fields *[]byte, arg []byte, given bool) {
	if !given || len(arg) == 0 || *fields != nil {
		*whole = true
		return
	}
	*fields = arg
}

// seconds reads delta-seconds; -1 is no number.
func seconds(arg []byte) int64 {
	n := int64(0)
	for _, c := range arg {
		if c < '0' || c > '9' {
			return -1
		}
		n = min(10*n+int64(c-'0'), anyTime)
	}
	if len(arg) == 0 {
		return -1
	}
	return n
}

// lists tells whether a comma-separated list holds a name, in any case.
func lists(list, name []byte) bool {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte(","))
		if request.EqualFold(bytes.TrimSpace(one), name) {
			return true
		}
	}
	return false
}
