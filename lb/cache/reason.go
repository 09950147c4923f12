package cache

// Reason is why a reply was not stored.
type Reason uint8

// The reasons.
const (
	Stored            Reason = iota // it was
	NoLifetime                      // neither the reply nor proxy_cache_valid says how long it is fresh
	AlreadyStale                    // its time was over when it came, and nothing allows to ask about it later
	SaysNoStore                     // Cache-Control: no-store
	SaysPrivate                     // Cache-Control: private
	SaysNoCache                     // Cache-Control: no-cache, and nothing to ask with whether it still holds
	SaysAccelExpires                // X-Accel-Expires: 0
	RequestNoStore                  // the client's Cache-Control: no-store
	RequestAuthorized               // Authorization, and the reply does not allow to share it
	SetsCookie                      // Set-Cookie
	VariesByAll                     // Vary: *
	VariesTooMuch                   // Vary names more than can be kept
	PartialReply                    // 206, or Content-Range, where no slice was asked for
	HeadReply                       // a reply to HEAD, without a body
	LeavesHTTP                      // 101: the connection speaks otherwise from here on
	NotUnderstood                   // must-understand, and a status that is not
	ByDirective                     // proxy_no_cache
	TooFewUses                      // proxy_cache_min_uses
	RangeTooFar                     // proxy_cache_max_range_offset
	PassedUnbuffered                // proxy_buffering off, or X-Accel-Buffering: no
	AccelRedirected                 // X-Accel-Redirect: another location's reply is sent
	KeyTooLong                      // longer than can be kept
	LockTimedOut                    // proxy_cache_lock_timeout
	SliceMismatch                   // the parts of a sliced reply do not fit together
	Purged                          // while it was asked for
	TooLarge                        // for max_size, or its head for any entry
	StoreFailed                     // the store could not take it, which it has logged
	BrokeOff                        // the reply did not come to its end
	reasons
)

var reasonTexts = [reasons]string{
	Stored: "stored", NoLifetime: "no lifetime", AlreadyStale: "already stale", SaysNoStore: "no-store",
	SaysPrivate: "private", SaysNoCache: "no-cache without validator", SaysAccelExpires: "X-Accel-Expires: 0",
	RequestNoStore: "no-store in the request", RequestAuthorized: "Authorization in the request", SetsCookie: "Set-Cookie",
	VariesByAll: "Vary: *", VariesTooMuch: "Vary too long", PartialReply: "partial reply", HeadReply: "reply to HEAD",
	LeavesHTTP: "another protocol", NotUnderstood: "status not understood", ByDirective: "proxy_no_cache", TooFewUses: "fewer than proxy_cache_min_uses",
	RangeTooFar: "range beyond proxy_cache_max_range_offset", PassedUnbuffered: "unbuffered", AccelRedirected: "X-Accel-Redirect",
	KeyTooLong: "key too long", LockTimedOut: "proxy_cache_lock_timeout", SliceMismatch: "slices do not fit",
	Purged: "purged meanwhile", TooLarge: "too large", StoreFailed: "store failed", BrokeOff: "broke off",
}

// String returns the reason in the words of the debug log.
func (r Reason) String() string { return reasonTexts[r] }
