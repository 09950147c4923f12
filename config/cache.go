package config

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Defaults of a cache where nothing is written.
const (
	DefaultCacheKey      = "$scheme$proxy_host$request_uri"
	defaultCacheInactive = 10 * time.Minute
	minKeysZone          = 2 * pageSize
)

func defaultCacheSettings() CacheSettings {
	return CacheSettings{
		Key: Text{Value: DefaultCacheKey}, Methods: CacheGet | CacheHead, MinUses: 1, ConvertHead: true,
		LockTimeout: 5 * time.Second, LockAge: 5 * time.Second, MaxRangeOffset: -1, RFC: true,
		Store: Store{Access: 0o600},
	}
}

// setCachePath reads the directory and the parameters of a cache.
func setCachePath(s *scope, d *Directive) error {
	pace := CachePace{Files: 100, Sleep: 50 * time.Millisecond, Threshold: 200 * time.Millisecond}
	c := &CachePath{
		Pos: d.Pos, Path: s.prefixPath(d.Args[0]), UseTempPath: true, Inactive: defaultCacheInactive,
		Manager: pace, Loader: pace, Purger: CachePace{Files: 10, Sleep: pace.Sleep, Threshold: pace.Sleep},
	}
	if len(c.Path) > 1 {
		c.Path = strings.TrimRight(c.Path, "/")
	}
	for _, a := range d.Args[1:] {
		name, v, found := strings.Cut(a, "=")
		if !found {
			return d.Pos.Errorf(`invalid parameter "%s"`, a)
		}
		if err := c.parameter(d, name, v); err != nil {
			return err
		}
		if a == "purger=off" {
			s.note(d, a, Meaningless, "what a purge by prefix has hit is removed in the background in any case")
		}
	}
	if c.Zone == "" {
		return d.Pos.Errorf(`"%s" must have "keys_zone" parameter`, d.Name)
	}
	for _, o := range s.cfg.HTTP.CachePaths {
		switch {
		case o.Zone == c.Zone:
			return d.Pos.Errorf(`duplicate zone "%s"`, c.Zone)
		case o.Path == c.Path:
			return d.Pos.Errorf(`the same path name "%s" used in %s and`, c.Path, o.Pos)
		}
	}
	s.cfg.HTTP.CachePaths = append(s.cfg.HTTP.CachePaths, c)
	return nil
}

// parameter reads one name=value of proxy_cache_path.
func (c *CachePath) parameter(d *Directive, name, v string) error {
	ok := true
	switch name {
	case "levels":
		if c.Levels, ok = cacheLevels(v); !ok {
			return d.Pos.Errorf(`invalid "levels" "levels=%s"`, v)
		}
		return nil
	case "keys_zone":
		zone, bytes, _ := strings.Cut(v, ":")
		if c.Size, ok = parseSize(bytes); !ok || zone == "" || c.Size < minKeysZone {
			return d.Pos.Errorf(`invalid keys zone size "keys_zone=%s"`, v)
		}
		c.Zone = zone
		return nil
	case "use_temp_path":
		c.UseTempPath = v == "on"
		if v != "on" && v != "off" {
			return d.Pos.Errorf(`invalid use_temp_path value "%s", it must be "on" or "off"`, v)
		}
		return nil
	case "purger":
		c.Purge = v == "on"
		ok = v == "on" || v == "off"
	case "inactive":
		c.Inactive, ok = parseTime(v, true)
	case "max_size":
		c.MaxSize, ok = parseOffset(v)
	case "min_free":
		c.MinFree, ok = parseOffset(v)
	default:
		return c.pace(d, name, v)
	}
	if !ok {
		return d.Pos.Errorf(`invalid %s value "%s=%s"`, name, name, v)
	}
	return nil
}

// pace reads manager_files and the like.
func (c *CachePath) pace(d *Directive, name, v string) (err error) {
	who, what, _ := strings.Cut(name, "_")
	p := map[string]*CachePace{"manager": &c.Manager, "loader": &c.Loader, "purger": &c.Purger}[who]
	ok := true
	switch {
	case p == nil:
		return d.Pos.Errorf(`invalid parameter "%s=%s"`, name, v)
	case what == "files":
		p.Files, ok = parseNumber(v)
	case what == "sleep":
		p.Sleep, ok = parseTime(v, false)
	case what == "threshold":
		p.Threshold, ok = parseTime(v, false)
	default:
		return d.Pos.Errorf(`invalid parameter "%s=%s"`, name, v)
	}
	if !ok {
		return d.Pos.Errorf(`invalid %s value "%s=%s"`, name, name, v)
	}
	return nil
}

// cacheLevels reads "1:2:2": at most three lengths of one or two digits.
func cacheLevels(v string) (levels []int, ok bool) {
	for _, l := range strings.Split(v, ":") {
		if l != "1" && l != "2" || len(levels) == 3 {
			return nil, false
		}
		levels = append(levels, int(l[0]-'0'))
	}
	return levels, true
}

// setCache reads the name of a zone, which may hold variables, or "off".
func setCache(s *scope, d *Directive) error {
	c := &s.settings.ProxySettings.Cache
	if d.Args[0] == "off" {
		c.Zone = Text{}
		return nil
	}
	if s.seen["proxy_store"] && c.Store.On {
		return fail(d, `is incompatible with "proxy_store"`)
	}
	c.Zone, c.Store.On = d.text(0), false
	return nil
}

// setCacheValid reads statuses and a time; a time alone holds for 200, 301 and
// 302.
func setCacheValid(s *scope, d *Directive) error {
	last := len(d.Args) - 1
	t, ok := parseTime(d.Args[last], true)
	if !ok {
		return d.Pos.Errorf(`invalid time value "%s"`, d.Args[last])
	}
	list := &s.settings.ProxySettings.Cache.Valid
	if last == 0 {
		add(s, d.Name, list, CacheValid{200, t}, CacheValid{301, t}, CacheValid{302, t})
		return nil
	}
	for _, a := range d.Args[:last] {
		status, ok := 0, true
		if a != "any" {
			status, ok = parseNumber(a)
			ok = ok && status >= 100 && status <= 599
		}
		if !ok {
			return d.Pos.Errorf(`invalid status "%s"`, a)
		}
		add(s, d.Name, list, CacheValid{status, t})
	}
	return nil
}

// setStore reads "on", "off", or the name of a file.
func setStore(s *scope, d *Directive) error {
	c := &s.settings.ProxySettings.Cache
	c.Store.On, c.Store.Path = false, Text{}
	switch d.Args[0] {
	case "off":
		return nil
	case "on":
	default:
		c.Store.Path = d.text(0)
	}
	if s.seen["proxy_cache"] && !c.Zone.IsZero() {
		return fail(d, `is incompatible with "proxy_cache"`)
	}
	c.Store.On, c.Zone = true, Text{}
	return nil
}

// setStoreAccess reads "user:rw group:rw all:r".
func setStoreAccess(s *scope, d *Directive) error {
	mode := fs.FileMode(0o600)
	for _, a := range d.Args {
		who, what, _ := strings.Cut(a, ":")
		shift, ok := map[string]int{"user": 6, "group": 3, "all": 0}[who]
		bits, ok2 := map[string]fs.FileMode{"rw": 6, "r": 4}[what]
		if !ok || !ok2 {
			return d.Pos.Errorf(`invalid value "%s"`, a)
		}
		if who == "all" {
			mode |= bits<<3 | bits
		}
		mode |= bits << shift
	}
	s.settings.ProxySettings.Cache.Store.Access = mode
	return nil
}

// checkCaches finds zones that nobody defined; names with variables are looked
// up per request.
func (b *builder) checkCaches() error {
	for _, srv := range b.cfg.HTTP.Servers {
		if err := b.checkCache(&srv.Settings); err != nil {
			return err
		}
	}
	for _, l := range b.locations() {
		if err := b.checkCache(&l.Settings); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) checkCache(s *Settings) error {
	zone := s.ProxySettings.Cache.Zone
	if zone.IsZero() || hasVars(zone.Value) || b.cfg.CachePath(zone.Value) != nil {
		return nil
	}
	return zone.Pos.Errorf(`"proxy_cache" zone "%s" is unknown`, zone.Value)
}

// CachePath returns the proxy_cache_path of a zone, or nil.
func (c *Config) CachePath(zone string) *CachePath {
	i := slices.IndexFunc(c.HTTP.CachePaths, func(p *CachePath) bool { return p.Zone == zone })
	if i < 0 {
		return nil
	}
	return c.HTTP.CachePaths[i]
}
