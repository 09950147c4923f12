package access

import (
	"net/http"
	"net/netip"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
)

// Outcome is what one check says of a client.
type Outcome uint8

// The outcomes.
const (
	Undecided Outcome = iota // the check has nothing to say
	Allowed
	Denied
)

// Rules is the compiled list of `allow` and `deny` of a location. The first
// rule that matches decides. The zero Rules have nothing to say.
type Rules struct {
	v4, v6 []rule // apart, so that a client meets only rules of its family
	unix   Outcome
}

type rule struct {
	prefix  netip.Prefix
	outcome Outcome
}

// Compile turns the rules of a configuration, in their order, into Rules.
func Compile(rules []config.AccessRule) *Rules {
	c := &Rules{}
	for _, r := range rules {
		outcome := Denied
		if r.Allow {
			outcome = Allowed
		}
		if (r.All || r.Unix) && c.unix == Undecided {
			c.unix = outcome
		}
		switch {
		case r.All:
			c.v4 = append(c.v4, rule{netip.PrefixFrom(netip.IPv4Unspecified(), 0), outcome})
			c.v6 = append(c.v6, rule{netip.PrefixFrom(netip.IPv6Unspecified(), 0), outcome})
		case r.Unix:
		case r.Prefix.Addr().Is4():
			c.v4 = append(c.v4, rule{r.Prefix.Masked(), outcome})
		default:
			c.v6 = append(c.v6, rule{r.Prefix.Masked(), outcome})
		}
	}
	return c
}

// Decide judges a client's address. An invalid address is that of a client of
// a unix socket; IPv4 in IPv6 (::ffff:a.b.c.d) counts as IPv4.
func (c *Rules) Decide(client netip.Addr) Outcome {
	if !client.IsValid() {
		return c.unix
	}
	client = client.Unmap()
	rules := c.v6
	if client.Is4() {
		rules = c.v4
	}
	for i := range rules {
		if rules[i].prefix.Contains(client) {
			return rules[i].outcome
		}
	}
	return Undecided
}

// Check implements Check on the client's address after realip.
func (c *Rules) Check(r *request.Request) int {
	switch c.Decide(r.Client) {
	case Allowed:
		return http.StatusOK
	case Denied:
		return http.StatusForbidden
	}
	return 0
}
