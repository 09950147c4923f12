package cache

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// Options are what a location's cache is made of.
type Options struct {
	Location *config.Location
	Table    *variable.Table
	// Zone finds a zone by its name; nil: there is none.
	Zone func(name string) *Zone
	Next request.Fetcher
	// Name sets $proxy_host and $proxy_port of a request, which keys tell
	// upstreams apart by; nil: the keys have no use for them.
	Name func(*request.Request)
}

// Cache answers the requests of one location from what is stored, and has the
// rest fetched by another Fetcher. It is immutable and safe for concurrent use.
type Cache struct {
	settings
	rules
	next request.Fetcher
	name func(*request.Request) // Options.Name
	zone func(name string) *Zone
	one  *Zone // the zone, where its name has no variables
}

// settings are the proxy_cache* directives of a location.
type settings struct {
	*config.CacheSettings
	zoneName, key          *variable.Text
	bypass, noStore, purge []*variable.Text
	modified               config.ModifiedSince
	maxRanges              int
	buffering              bool
	slicing                bool
	backgroundByReply      bool // stale-while-revalidate updates in the background
	keyTellsSlice          bool
}

// New compiles the cache of a location whose proxy_cache is on.
func New(o Options) (*Cache, error) {
	ps := &o.Location.ProxySettings
	conf := &ps.Cache
	c := &Cache{next: o.Next, name: o.Name, zone: o.Zone}
	c.settings = settings{
		CacheSettings: conf, modified: o.Location.IfModifiedSince, maxRanges: o.Location.MaxRanges, buffering: ps.Buffering,
		slicing: conf.Slice > 0, backgroundByReply: conf.RFC,
	}
	c.keyTellsSlice = strings.Contains(conf.Key.Value, "$slice_range")
	c.rules = rules{rfc: conf.RFC, valid: conf.Valid}
	for _, h := range ps.SetHeaders {
		if request.Known([]byte(h.Name)) == request.FieldRange && strings.Contains(conf.Key.Value, "$http_range") {
			c.partial = true
		}
	}
	for _, name := range ps.IgnoreHeaders {
		c.ignore |= 1 << request.Known([]byte(name))
	}
	if err := c.texts(o.Table, conf); err != nil {
		return nil, err
	}
	if name, ok := c.zoneName.Static(); ok {
		if c.one = o.Zone(string(name)); c.one == nil {
			return nil, fmt.Errorf("cache %q is not there", name)
		}
	}
	return c, nil
}

// texts compiles what may hold variables.
func (c *Cache) texts(table *variable.Table, conf *config.CacheSettings) (err error) {
	for _, t := range []struct {
		from config.Text
		to   **variable.Text
	}{{conf.Zone, &c.zoneName}, {conf.Key, &c.key}} {
		if *t.to, err = variable.CompileConfig(table, t.from); err != nil {
			return err
		}
	}
	for _, t := range []struct {
		from []config.Text
		to   *[]*variable.Text
	}{{conf.Bypass, &c.bypass}, {conf.NoStore, &c.noStore}, {conf.Purge, &c.purge}} {
		for _, text := range t.from {
			x, err := variable.CompileConfig(table, text)
			if err != nil {
				return err
			}
			*t.to = append(*t.to, x)
		}
	}
	return nil
}

// holdsAny tells whether one of the conditions holds.
func holdsAny(list []*variable.Text, r *request.Request) bool {
	for _, t := range list {
		if variable.True(t.Value(r)) {
			return true
		}
	}
	return false
}

// zoneOf finds the zone of a request; nil: the cache is off for it.
func (c *Cache) zoneOf(r *request.Request) *Zone {
	if c.one != nil {
		return c.one
	}
	name := c.zoneName.Value(r)
	if len(name) == 0 || string(name) == "off" {
		return nil
	}
	z := c.zone(string(name))
	if z == nil {
		r.LogError(logUnknown, `cache "`+string(name)+`" not found`)
	}
	return z
}

// handles tells whether a method is answered from the cache.
func (c *Cache) handles(v request.Verb) bool {
	switch v {
	case request.VerbGet, request.VerbHead:
		return true
	case request.VerbPost:
		return c.Methods&config.CachePost != 0
	}
	return false
}

// lookup is one request on its way through the cache.
type lookup struct {
	c      *Cache
	r      *request.Request
	z      *Zone
	text   []byte    // of the key
	main   store.Key // of the text
	key    store.Key // main, or that of the request's variant
	now    int64     // seconds of Unix time
	asked  control
	entry  *store.Entry    // stored, too old; held until release
	flight *flight         // that this request leads; nil: none
	leads  store.Key       // of the flight
	expect *store.Expected // the reply that is asked for; nil: none
	status request.CacheStatus

	alone   bool      // no client waits for the reply
	without [2][]byte // lists of fields that are not stored
	arrived time.Time // at the fetches of the key; zero: not yet
}

// drop lets the stored reply go.
func (l *lookup) drop() {
	if l.entry != nil {
		l.entry.Release()
		l.entry = nil
	}
}

// find looks for what is stored for the request: the reply of the key, or of
// the variant that it leads to.
func (l *lookup) find() *store.Entry {
	l.key = l.main
	e := l.z.Get(l.main, l.text, l.now)
	if e == nil || len(e.Meta().Vary) == 0 || !l.c.heeds(request.FieldVary) {
		return e
	}
	d := digest(l.r, e.Meta().Vary)
	if d == e.Meta().Variant {
		return e
	}
	e.Release()
	l.key = l.main.Variant(d)
	if e = l.z.Get(l.key, l.text, l.now); e != nil && e.Meta().Variant != d {
		e.Release()
		return nil
	}
	return e
}
