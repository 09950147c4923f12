package lb

import (
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache"
	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/request"
)

// caches are the caches of a generation by name. The zones behind them outlive
// it, as long as another one opens them.
type caches struct {
	zones map[string]*cacheZone
	end   sync.Once
}

// cacheZone is a zone, and what it is to be like when the generation starts.
type cacheZone struct {
	*cache.Zone
	options store.Options
}

// caches opens the zones of all proxy_cache_path lines.
func (c *compiler) caches(h *config.HTTP) error {
	c.g.caches.zones = map[string]*cacheZone{}
	if len(h.CachePaths) == 0 {
		return nil
	}
	log, err := c.errorLog(h.ErrorLogs)
	if err != nil {
		return err
	}
	for _, p := range h.CachePaths {
		o := store.Options{
			Name: p.Zone, Path: p.Path, Levels: p.Levels, KeysSize: p.Size, Inactive: p.Inactive, MaxSize: p.MaxSize,
			MinFree: p.MinFree, Manager: store.Pace(p.Manager), Loader: store.Pace(p.Loader), Purger: store.Pace(p.Purger), Log: log,
		}
		if p.UseTempPath {
			o.TempPath = h.ProxySettings.TempPath.Path
		}
		z, err := c.b.caches.Open(o)
		if err != nil {
			return p.Pos.Errorf("%v", err)
		}
		for name, other := range c.g.caches.zones {
			if other.Zone == z { // by a symbolic link: config has compared the names
				z.Close()
				return p.Pos.Errorf("%q leads to the directory of cache %q", p.Path, name)
			}
		}
		c.g.caches.zones[p.Zone] = &cacheZone{z, o}
	}
	return nil
}

// find returns the zone of a name, or nil.
func (s *caches) find(name string) *cache.Zone {
	if z := s.zones[name]; z != nil {
		return z.Zone
	}
	return nil
}

// start gives the zones the settings of the generation.
func (s *caches) start() {
	for _, z := range s.zones {
		z.Start(z.options)
	}
}

// close gives the zones up, once.
func (s *caches) close() {
	s.end.Do(func() {
		for _, z := range s.zones {
			z.Close()
		}
	})
}

// cached puts the cache of a location before its upstream.
func (c *compiler) cached(l *location, upstream *proxy.Fetcher) (request.Fetcher, error) {
	conf := &l.conf.Exchanges().Cache
	switch {
	case !conf.Zone.IsZero():
		return cache.New(cache.Options{
			Location: l.conf, Table: c.g.table, Zone: c.g.caches.find, Next: upstream, Name: upstream.NameTarget,
		})
	case conf.Store.On:
		return cache.NewMirror(cache.MirrorOptions{
			Location: l.conf, Table: c.g.table, Prefix: c.g.conf.Prefix, Next: upstream,
		})
	case conf.ForceRanges:
		return cache.NewRanger(l.conf, upstream), nil
	}
	return upstream, nil
}
