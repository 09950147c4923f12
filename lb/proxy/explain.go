package proxy

import (
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
)

// explainedPeers is how many peers of a pool are told of at most.
const explainedPeers = 100

// pickExplained is the pick of a request whose steps are told.
func (x *exchange) pickExplained() (*upstream.Peer, error) {
	peer, list, err := x.pool.PickExplained(&x.args)
	x.r.Explainf("upstream: %s, %s", x.target.Name, x.pool.Describe())
	if x.pool.Sticks() && len(x.r.Attempts) == x.base {
		x.explainTie(list)
	}
	if len(list) == 0 {
		x.r.Explainf("peer: none; servers with resolve have none before name servers have answered")
	}
	for i, c := range list {
		if i == explainedPeers {
			x.r.Explainf("peer: and %d more", len(list)-i)
			break
		}
		x.r.Explainf("peer: %s", c)
	}
	return peer, err
}

// explainTie tells whose client the request says it is.
func (x *exchange) explainTie(list []upstream.Candidate) {
	switch {
	case len(x.presented) == 0:
		x.r.Explainf("sticky: the request names no server")
	case x.args.Bound == 0 && len(x.args.Hint) == 0:
		x.r.Explainf("sticky: %q is not followed: %s", x.presented, x.tie.Refused())
	default:
		home := "a server that is not in the upstream"
		for _, c := range list {
			if x.args.BoundTo(c.Peer) {
				home = c.Peer.Text
				break
			}
		}
		x.r.Explainf("sticky: %q binds the request to %s", x.presented, home)
	}
}

// spare ends a request that only asks before its first attempt.
func (x *exchange) spare() request.Verdict {
	x.pool.Release(&x.args, upstream.Outcome{Now: x.now, HeaderTime: -1})
	return request.Done
}
