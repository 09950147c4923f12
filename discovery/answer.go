package discovery

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of what one answer may make us do or keep.
const (
	// maxAddresses bounds the peers that one name can make. A reply has room
	// for four times as many; but each costs memory, a place in every walk over
	// the peers, and checks.
	maxAddresses = 1024
	maxAliases   = 16 // CNAME records one after the other

	maxTTL      = 7 * 24 * time.Hour // RFC 8767, section 4
	negativeTTL = 10 * time.Second   // how long "there is no such name" is kept at most
	failureTTL  = time.Second        // how long a failure is kept (RFC 9520, section 3.2)
)

// answer is what a reply says about one name.
type answer struct {
	addrs   []netip.Addr     // sorted, each one once
	targets []Record         // of SRV records, likewise, without addresses
	extra   map[asked]answer // what came along about the targets
	ttl     time.Duration
	alias   string // the name to ask for next; empty: this is the end
	endless bool   // the aliases do not end
}

// answers tells whether m is a reply to the question q. A server that did not
// understand the question may leave it out of its reply.
func answers(q, m *dns.Msg) bool {
	if !m.Response || m.Id != q.Id || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented
	}
	asked, got := q.Question[0], m.Question[0]
	return len(m.Question) == 1 && got.Qtype == asked.Qtype && got.Qclass == asked.Qclass && sameName(got.Name, asked.Name)
}

// sameName compares names in presentation form, which is ASCII.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// readAnswer collects the records of a type that m gives for name, following
// aliases as far as m does. Records of other names, whatever put them there, are
// not looked at.
func readAnswer(m *dns.Msg, name string, qtype uint16) answer {
	a := answer{ttl: maxTTL}
	owner := name
	for hops := 0; ; hops++ {
		if a.collect(m, owner, qtype); len(a.addrs) > 0 || len(a.targets) > 0 {
			return a
		}
		target, ttl := aliasOf(m, owner)
		if target == "" {
			break
		}
		if hops == maxAliases {
			a.endless = true
			return a
		}
		owner, a.ttl = target, min(a.ttl, ttl)
	}
	if m.Rcode == dns.RcodeSuccess && !sameName(owner, name) {
		a.alias = owner
		return a
	}
	a.ttl = min(a.ttl, negative(m))
	return a
}

// collect takes the records of one owner.
func (a *answer) collect(m *dns.Msg, owner string, qtype uint16) {
	for _, rr := range m.Answer {
		if !a.fits(rr, owner, qtype) {
			continue
		}
		if srv, ok := rr.(*dns.SRV); ok {
			a.target(srv)
		} else if addr, ok := address(rr); ok {
			a.addrs = append(a.addrs, addr)
			a.ttl = min(a.ttl, lifetime(rr.Header().Ttl))
		}
	}
	a.addrs = bounded(a.addrs)
	if a.targets = sortTargets(a.targets); len(a.targets) > 0 {
		a.extra = additional(m)
	}
}

func (a *answer) fits(rr dns.RR, owner string, qtype uint16) bool {
	h := rr.Header()
	return h.Rrtype == qtype && h.Class == dns.ClassINET && sameName(h.Name, owner)
}

// address reads an A or AAAA record; one without data is none.
func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		return netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA.To16())
	}
	return netip.Addr{}, false
}

// bounded sorts addresses, each once, and then leaves out what is too many: so
// all who see the same set keep the same part of it.
func bounded(addrs []netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	return addrs[:min(len(addrs), maxAddresses)]
}

// aliasOf returns what a name is an alias of, "" if it is none.
func aliasOf(m *dns.Msg, owner string) (string, time.Duration) {
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == dns.ClassINET && sameName(c.Hdr.Name, owner) {
			return c.Target, lifetime(c.Hdr.Ttl)
		}
	}
	return "", 0
}

// lifetime reads a time to live; one with its first bit set means 0
// (RFC 2181, section 8).
func lifetime(ttl uint32) time.Duration {
	if int32(ttl) < 0 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// negative tells how long the absence of a name or of its addresses may be
// kept (RFC 2308, section 5), but only shortly: nginx does not keep it at all.
func negative(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(max(lifetime(min(soa.Hdr.Ttl, soa.Minttl)), failureTTL), negativeTTL)
		}
	}
	return failureTTL
}

// question makes a query for the records of one type.
func question(name string, qtype, id uint16) *dns.Msg {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: id, RecursionDesired: true}}
	m.Question = []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}
	m.SetEdns0(packetSize, false)
	return m
}

// IsHostName reports whether name servers can be asked for a host at all.
func IsHostName(host string) bool {
	_, ok := hostName(host)
	return ok
}

// hostName brings a host into the form that is asked for: lower case, one dot
// at its end. It refuses what cannot be the name of a host, which saves name
// servers from whatever clients write into a variable.
func hostName(host string) (string, bool) {
	host = strings.TrimSuffix(host, ".")
	if len(host) == 0 || len(host) > 253 {
		return "", false
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = 0
			continue
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		if label++; label > 63 {
			return "", false
		}
	}
	return strings.ToLower(host) + ".", label > 0
}
