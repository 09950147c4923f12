// Package proxy sends requests on to upstreams and brings the replies back.
//
// It has two halves, between which a cache may stand. fetch.go tells the story
// of a request: its body is taken in, a peer is picked, an attempt is made, and
// next.go decides whether another follows. handler.go tells that of the reply,
// which is delivered as it comes. The halves meet as request.Fetcher and
// request.Incoming: the first knows nothing of what a location does to replies,
// the second nothing of peers. An exchange is the state of one fetch; it is
// pooled and holds everything that must not be allocated anew.
//
//	fetch.go     the walk of one request towards its upstream
//	attempt.go   one exchange with one peer
//	protocol.go  what an attempt needs of the protocol that the peer speaks:
//	             over_http1.go and over_http2.go
//	queue.go     waiting until a peer is free
//	next.go      whether another attempt may follow, and how failures are told
//	head.go      the request's head as the peer gets it
//	uri.go       the request's target as the peer gets it
//	body.go      the request's body: kept for further attempts, or passed on
//	incoming.go  the reply's body on its way from the upstream
//	sticky.go    whose client it is, and what tells it next time
//	target.go    the upstream, and how connections to it are made
//	bind.go      the address they come from
//	identity.go  the certificate they show
//	probe.go     the question of a health check
//	settings.go  the directives about all this made ready
//	handler.go   the walk of one reply to its client
//	rules.go     the directives about that made ready
//	filter.go    the reply's head as the client gets it
//	deliver.go   the reply's body on its way to the client
//	forward.go   the reply's body handed to the client, at its pace
//	spool.go     what a slow client has not taken yet
//	alter.go     Location and Refresh rewritten
//	cookie.go    Set-Cookie rewritten
//	tunnel.go    what follows a 101
package proxy
