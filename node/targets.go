package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/config"
)

// lookup is the part of net.Resolver that finding other nodes takes. It is the
// system's: `resolver` directives are about upstreams.
type lookup interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// joinTargets gives the gossip addresses at which other nodes may be found, each
// once, and without self. Names that say nothing, and addresses whose answers are
// not allowed, are in the error; the others count all the same.
func joinTargets(ctx context.Context, names lookup, conf *config.Cluster) ([]netip.AddrPort, error) {
	var list []netip.AddrPort
	var failed []error
	add := func(host string, port uint16) {
		addrs, err := names.LookupNetIP(ctx, "ip", host)
		if err != nil {
			failed = append(failed, fmt.Errorf("join %s: %w", net.JoinHostPort(host, strconv.Itoa(int(port))), err))
		}
		for _, a := range addrs {
			switch at := netip.AddrPortFrom(a.Unmap(), port); {
			case !conf.Allows(at.Addr()):
				failed = append(failed, fmt.Errorf(`join %s: %s is not among the addresses of "allow"`, host, at.Addr()))
			case at != conf.Listen && !slices.Contains(list, at):
				list = append(list, at)
			}
		}
	}
	for _, j := range conf.Join {
		if !j.Service {
			add(j.Host, j.Port)
			continue
		}
		_, records, err := names.LookupSRV(ctx, "", "", j.Host)
		if err != nil {
			failed = append(failed, fmt.Errorf("join %s: %w", j.Host, err))
		}
		for _, r := range records {
			add(strings.TrimSuffix(r.Target, "."), r.Port)
		}
	}
	return list, errors.Join(failed...)
}
