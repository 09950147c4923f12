package health

import "github.com/weir-lb/weir/lb/upstream"

// Judge concludes from what this node says of a peer whether requests are sent
// there. mandatory tells that a peer of which nothing is known gets none. It
// has no side effects.
func Judge(own Report, mandatory bool) upstream.Verdict {
	switch {
	case own.Status == StatusDown:
		return upstream.VerdictUnhealthy
	case own.Status == StatusUnknown && mandatory:
		return upstream.VerdictChecking
	}
	return upstream.VerdictUsable
}
