// Package lb is the data plane: it takes a configuration, listens, and
// balances requests. It knows nothing of a cluster.
//
// # The life of a request
//
// A connection is served by one goroutine, whose story is [Balancer] serve in
// serve.go. A request walks one way:
//
//	 1  accept     listen/accept.go hands over the connection; conn.go wraps it
//	 2  handshake  conn.go, with the server that generation.go finds for the
//	               client's name; before it the PROXY header, listen/proxyproto.go
//	 3  parse      http1/read_request.go, whose framing is decided in
//	               http1/framing.go; job.go holds the bytes. 400, 413, 414, 501,
//	               505 end here, in serve.go
//	 4  host       chain.go: route/host.go finds the virtual server
//	 5  route      chain.go: route/rewrite.go, then route/location.go, again for
//	               each changed path, at most ten times
//	 6  access     access/realip.go, then access/satisfy.go
//	 7  content    static/tryfiles.go, then one of proxy/handler.go,
//	               static/files.go, stub.go; location.go lists the handlers
//	 8  pick       proxy/fetch.go, upstream/pool.go, after proxy/sticky.go has read whose
//	               client it is
//	 9  connect    connect/idle.go, else connect/dial.go; with HTTP/2 connect/share.go
//	10  exchange   proxy/attempt.go; proxy/next.go decides on another attempt
//	11  reply      proxy/deliver.go or static/reply.go into out.go, which adds what
//	               location.go says, by http1/write_head.go. A status without a
//	               reply becomes one in errorpage.go, which may lead back to 5
//	12  log        job.finish in serve.go: the rest of the body, accesslog/log.go,
//	               and the generation is let go. Every request that was read
//	               gets here
//
// # Inside and aside
//
// Requests that have arrived whole are served inside one read callback that
// lasts as long as the connection, without a useless read (package wire tells
// why that is cheap). The callback owns the reading side, so a request whose
// body is still to come, or that may leave HTTP, is served aside: the callback
// ends, the request is served with ordinary reads, and a new callback begins.
// What a request needs, a job, is only held while one is in work or partly
// here: an idle connection holds no buffer. The part of it that goes through
// the chain, whatever protocol brought the request, is a walk (walk.go).
//
// # HTTP/2
//
// A connection that has agreed on HTTP/2, or begins with its preface, goes on
// in http2.go: its goroutine reads frames (package http2 tells their way), and
// each stream becomes a request on a goroutine of its own. http2_job.go is what
// job.go, out.go and offer.go are for HTTP/1; steps 4 to 10 are the same.
//
// # Generations and zones
//
// compile.go turns a configuration into a generation: everything that can fail
// fails there, beside what serves. Starting it swaps one pointer. Each request
// takes the generation that is current and lets it go at its end, so that a
// generation ends, and closes its logs, with its last request; an upgraded
// connection lets its own go when its tunnel begins. Idle connections hold
// none: conn.go looks their address up anew in the generation of their next
// request, and one for which there is no place is woken to end.
//
// What outlives a generation lies in pools, by the name of the upstream
// (zone.go): the peers' counters, what is known of them while weir runs, and
// idle connections. Addresses that only
// requests know, by variables in proxy_pass, have theirs in transient.go.
//
// explain.go lets a made-up request take the same way, up to the pick, and
// tells each step; explainstep.go says the same of real ones where the error
// log is of level debug.
//
// Memory that a burst of handshakes left is given back by trim.go.
package lb
