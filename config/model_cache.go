package config

import (
	"io/fs"
	"time"
)

// CachePath is a proxy_cache_path: a directory of stored replies and the zone
// that knows them.
type CachePath struct {
	Pos         Pos
	Path        string
	Levels      []int // lengths of the names of directories below Path
	Zone        string
	Size        int64 // of keys_zone, bytes
	UseTempPath bool  // files are made under proxy_temp_path first
	Inactive    time.Duration
	MaxSize     int64 // bytes; 0: unbounded
	MinFree     int64 // bytes; 0: the whole disk may be used
	Manager     CachePace
	Loader      CachePace
	Purger      CachePace
	Purge       bool // purger=on
}

// CachePace bounds the work of a cache in the background.
type CachePace struct {
	Files            int
	Sleep, Threshold time.Duration
}

// CacheSettings are the inherited proxy_cache* settings and their kin.
type CacheSettings struct {
	Zone        Text // proxy_cache; zero Text: off
	Key         Text
	Valid       []CacheValid
	Methods     CacheMethods
	MinUses     int
	Bypass      []Text // any that is neither empty nor "0": do not answer from the cache
	NoStore     []Text // proxy_no_cache, likewise: do not store
	Purge       []Text // likewise: remove what is stored
	UseStale    UseStale
	Background  bool
	Revalidate  bool
	Lock        bool
	LockTimeout time.Duration
	LockAge     time.Duration
	ConvertHead bool
	// MaxRangeOffset is up to where a range may begin for the whole reply to be
	// fetched; -1: anywhere.
	MaxRangeOffset int64
	ForceRanges    bool
	Slice          int64 // bytes; 0: none
	RFC            bool  // proxy_cache_rfc: RFC 9111 decides where nginx departs from it
	Store          Store
}

// CacheValid is how long replies of some statuses are fresh that do not say it
// themselves.
type CacheValid struct {
	Status int // 0: any
	Time   time.Duration
}

// CacheMethods are the methods of proxy_cache_methods; GET and HEAD are always
// in it.
type CacheMethods uint16

// Values of proxy_cache_methods.
const (
	CacheGet CacheMethods = 1 << iota
	CacheHead
	CachePost
)

// UseStale are the conditions of proxy_cache_use_stale.
type UseStale uint16

// Conditions of proxy_cache_use_stale. An empty set is "off".
const (
	StaleError UseStale = 1 << iota
	StaleTimeout
	StaleInvalidHeader
	StaleUpdating
	StaleHTTP500
	StaleHTTP502
	StaleHTTP503
	StaleHTTP504
	StaleHTTP403
	StaleHTTP404
	StaleHTTP429
	StaleNonIdempotent
)

// Store is proxy_store with proxy_store_access. The zero Path with On stores
// replies where root or alias leads.
type Store struct {
	On     bool
	Path   Text
	Access fs.FileMode
}
