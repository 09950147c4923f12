// Package proxy sends requests on to upstreams and brings the replies back.
//
// handler.go tells the story of one request: its body is taken in, a peer is
// picked, an attempt is made, and next.go decides whether another follows;
// the reply is delivered as it comes. An exchange is the state of one request
// here; it is pooled and holds everything that must not be allocated anew.
//
//	handler.go   the walk of one request towards its upstream
//	attempt.go   one exchange with one peer
//	next.go      whether another attempt may follow, and how failures are told
//	head.go      the request's head as the peer gets it
//	uri.go       the request's target as the peer gets it
//	body.go      the request's body: kept for further attempts, or passed on
//	deliver.go   the reply's head and body on their way to the client
//	forward.go   the reply's body handed to the client, at its pace
//	spool.go     what a slow client has not taken yet
//	alter.go     Location and Refresh rewritten
//	cookie.go    Set-Cookie rewritten
//	tunnel.go    what follows a 101
//	settings.go  the directives of a location made ready
//	target.go    the upstream, and how connections to it are made
//	bind.go      the address they come from
//	identity.go  the certificate they show
package proxy
