package discovery

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxTargets bounds the SRV records of one name, each of which may ask for two
// look-ups.
const maxTargets = 1024

// Record is an SRV record with the addresses of its target, sorted. The
// addresses of a name that is followed without a service are one Record whose
// other fields are zero.
type Record struct {
	Target           string // in lower case, with its final dot
	Port             uint16
	Priority, Weight uint16
	Addrs            []netip.Addr
}

// serviceName returns the name whose SRV records tell of a service of a host:
// _http._tcp.HOST for "http"; a service with a dot is taken as written.
func serviceName(service, host string) (string, bool) {
	if strings.Contains(service, ".") {
		return hostName(service + "." + host)
	}
	return hostName("_" + service + "._tcp." + host)
}

// target takes an SRV record. That the target is the root says that there is
// no such service (RFC 2782).
func (a *answer) target(srv *dns.SRV) {
	name, ok := hostName(srv.Target)
	if !ok {
		return
	}
	a.targets = append(a.targets, Record{Target: name, Port: srv.Port, Priority: srv.Priority, Weight: srv.Weight})
	a.ttl = min(a.ttl, lifetime(srv.Hdr.Ttl))
}

// sortTargets brings SRV records into the order of priority, target and port.
// Where a target's port is named twice, the lower priority and then the larger
// weight count. What is too many is left out at the end.
func sortTargets(list []Record) []Record {
	place := func(a, b Record) int { return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port)) }
	rank := func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), -cmp.Compare(a.Weight, b.Weight))
	}
	slices.SortFunc(list, func(a, b Record) int { return cmp.Or(place(a, b), rank(a, b)) })
	list = slices.CompactFunc(list, func(a, b Record) bool { return place(a, b) == 0 })
	slices.SortFunc(list, func(a, b Record) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), place(a, b)) })
	return list[:min(len(list), maxTargets)]
}

// asked is what a question is about.
type asked struct {
	name  string // in lower case
	qtype uint16
}

// additional returns the addresses that m brings along for names it was not
// asked about, as the server of SRV records may do for their targets.
func additional(m *dns.Msg) map[asked]answer {
	all := map[asked]answer{}
	for _, rr := range m.Extra {
		addr, ok := address(rr)
		if h := rr.Header(); ok && h.Class == dns.ClassINET {
			k := asked{strings.ToLower(h.Name), h.Rrtype}
			a, known := all[k]
			if !known {
				a.ttl = maxTTL
			}
			a.addrs, a.ttl = append(a.addrs, addr), min(a.ttl, lifetime(h.Ttl))
			all[k] = a
		}
	}
	for k, a := range all {
		a.addrs = bounded(a.addrs)
		all[k] = a
	}
	return all
}
