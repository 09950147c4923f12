package request

import "github.com/weir-lb/weir/lb/variable"

// CacheStatus tells how a cache answered a request ($upstream_cache_status).
type CacheStatus uint8

// The statuses, in nginx's words.
const (
	CacheNone        CacheStatus = iota // no cache was asked
	CacheMiss                           // nothing was stored
	CacheBypass                         // proxy_cache_bypass said not to look
	CacheExpired                        // what was stored was too old, and fetched anew
	CacheStale                          // what was stored was too old, and served
	CacheUpdating                       // likewise, while another request fetches it
	CacheRevalidated                    // what was stored was too old, and the upstream said that it still holds
	CacheHit
	CacheStatuses // how many there are
)

var cacheStatusNames = [CacheStatuses]string{
	CacheNone: "", CacheMiss: "MISS", CacheBypass: "BYPASS", CacheExpired: "EXPIRED", CacheStale: "STALE",
	CacheUpdating: "UPDATING", CacheRevalidated: "REVALIDATED", CacheHit: "HIT",
}

// String returns the word that logs show.
func (s CacheStatus) String() string { return cacheStatusNames[s] }

// Cached is what a cache on the request's way notes on it.
type Cached struct {
	Status CacheStatus
	// ETag and LastModified are those of the stored reply, while it is asked
	// whether it still holds.
	ETag, LastModified []byte
	// Slice is the value of Range for the slice that is fetched; nil: none.
	Slice []byte
}

// Wish is what a cache wants of the fetch behind it, other than the client's
// request says.
type Wish struct {
	// Whole leaves the client's conditions and ranges out of the request, and
	// turns HEAD into GET where Get says so.
	Whole, Get bool
	// ETag and LastModified ask whether a stored reply still holds; nil: no.
	ETag, LastModified []byte
	Range              []byte // value of Range; nil: none
	// Stay lets the fetch go on when the client leaves.
	Stay bool
}

// Fault is why a Fetcher brought no reply.
type Fault uint8

// The faults.
const (
	FaultNone    Fault = iota // there is a reply, or the request itself is at fault
	FaultError                // no connection, or it broke
	FaultTimeout              // no answer in time
	FaultInvalid              // an answer that is not well-formed
)

// addCacheFacts adds what a cache tells.
func addCacheFacts(t *variable.Table) {
	add(t, "upstream_cache_status", func(r *Request) ([]byte, bool) {
		if r.Cached.Status == CacheNone {
			return nil, false
		}
		return r.arena.Keep(append(r.arena.Take(), r.Cached.Status.String()...)), true
	})
	add(t, "upstream_cache_etag", func(r *Request) ([]byte, bool) { return r.Cached.ETag, r.Cached.ETag != nil })
	add(t, "upstream_cache_last_modified", func(r *Request) ([]byte, bool) {
		return r.Cached.LastModified, r.Cached.LastModified != nil
	})
	add(t, "slice_range", func(r *Request) ([]byte, bool) { return r.Cached.Slice, r.Cached.Slice != nil })
}
