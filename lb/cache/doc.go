// Package cache answers requests from stored replies (RFC 9111, and nginx's
// proxy_cache). A Cache is a request.Fetcher that stands before another one:
// what it stores is the upstream's own reply, never one client's.
//
//	handler.go   the story: hit, stale, miss
//	request.go   what a request asks of a cache, and its key
//	control.go   Cache-Control read
//	fresh.go     how long a reply may be kept, or the reason why it may not
//	vary.go      which of several replies of one key a request gets
//	lock.go      one fetch per key, and what the others wait for
//	fetch.go     a reply fetched, and stored on its way
//	revalidate.go  a stored reply asked about, in the foreground or not
//	present.go   conditions and ranges answered from the whole reply
//	stored.go    a stored reply on its way to the client
//	head.go      heads written down and read back
//	slice.go     long replies stored in parts
//	purge.go     entries removed by requests
//	force.go     ranges of what is not stored
//	mirror.go    proxy_store: replies kept as plain files
//	zone.go      what outlives configurations: the store, fetches, counters
//
// What is kept where, and what becomes of it, is package store's.
package cache
