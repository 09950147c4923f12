package cache

import (
	"net/http"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// purgeKey removes what is stored for the key of a request, or on its way from
// the upstream: 204, or 404 where there is nothing. A key that ends in "*" stands for all that begin so. Where
// something may be left, which the store has logged, the answer is 500.
func (c *Cache) purgeKey(r *request.Request, z *Zone) request.Verdict {
	found, err := z.Purge(c.key.Value(r))
	switch {
	case err != nil:
		return r.Reject(http.StatusInternalServerError)
	case !found:
		return r.Reject(http.StatusNotFound)
	}
	return r.Reject(http.StatusNoContent)
}

// invalidate removes what is stored for a key, as a request that changes the
// resource has succeeded. Other than with purgeKey, a "*" is a letter: no
// client may empty the cache by asking for it.
func (z *Zone) invalidate(text []byte, now int64) {
	if n := len(text); n == 0 || text[n-1] != '*' {
		_, _ = z.Purge(text) // logged by the store; the reply that is due has come
		return
	}
	if e := z.Get(store.KeyOf(text), text, now); e != nil {
		z.Delete(e)
		e.Release()
	}
}
