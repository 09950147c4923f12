package access

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
)

// Trusted is a set of addresses, that of `set_real_ip_from`.
type Trusted struct {
	prefixes []netip.Prefix
	unix     bool
}

// NewTrusted compiles the sources of a configuration. Names are resolved by
// lookup, once.
func NewTrusted(from []config.RealIPSource, lookup func(host string) ([]netip.Addr, error)) (*Trusted, error) {
	t := &Trusted{}
	for _, f := range from {
		switch {
		case f.Unix:
			t.unix = true
		case f.Host == "":
			t.prefixes = append(t.prefixes, f.Prefix.Masked())
		default:
			addrs, err := lookup(f.Host)
			if err != nil {
				return nil, fmt.Errorf("host not found in set_real_ip_from %q: %w in %s", f.Host, err, f.Pos)
			}
			for _, a := range addrs {
				a = a.Unmap().WithZone("")
				t.prefixes = append(t.prefixes, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	return t, nil
}

// Has tells whether an address is in the set; an invalid one is that of a
// unix socket's client.
func (t *Trusted) Has(a netip.Addr) bool {
	if !a.IsValid() {
		return t.unix
	}
	a = a.Unmap()
	for _, p := range t.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// RealIP is the handler that replaces the client's address by the one a
// trusted proxy tells of (`real_ip_header`). The connection's own address
// stays in r.Conn.
type RealIP struct {
	trusted       *Trusted
	header        []byte
	forwardedFor  bool // X-Forwarded-For: every field of it counts
	proxyProtocol bool
	recursive     bool
}

// NewRealIP compiles the realip settings of a location; nil where no source is
// trusted.
func NewRealIP(c config.RealIP, lookup func(host string) ([]netip.Addr, error)) (*RealIP, error) {
	if len(c.From) == 0 {
		return nil, nil
	}
	trusted, err := NewTrusted(c.From, lookup)
	if err != nil {
		return nil, err
	}
	p := &RealIP{
		trusted:       trusted,
		header:        []byte(c.Header),
		forwardedFor:  strings.EqualFold(c.Header, request.FieldXForwardedFor.String()),
		proxyProtocol: strings.EqualFold(c.Header, "proxy_protocol"),
		recursive:     c.Recursive,
	}
	if c.Header == "" {
		p.header = []byte(request.FieldXRealIP.String())
	}
	return p, nil
}

// Serve implements request.Handler. A request whose client was replaced
// before, by the server's settings, is left as it is.
func (p *RealIP) Serve(r *request.Request) request.Verdict {
	if r.ClientPort != r.Conn.Remote.Port() || !bytes.Equal(r.ClientText, r.Conn.RemoteText) {
		return request.Next
	}
	client, found := p.find(r)
	if !found {
		return request.Next
	}
	arena := r.Arena()
	r.Client, r.ClientPort = client.Addr(), client.Port()
	r.ClientText = arena.Keep(client.Addr().AppendTo(arena.Take()))
	return request.Next
}

// find returns the address that the request's proxies tell of.
func (p *RealIP) find(r *request.Request) (client netip.AddrPort, found bool) {
	direct := r.Conn.Remote.Addr()
	switch {
	case p.proxyProtocol:
		proxied := r.Conn.Proxied
		if proxied == nil {
			return client, false
		}
		return proxied.Source, proxied.Source.IsValid() && p.trusted.Has(direct)
	case p.forwardedFor:
		return p.lastForwarded(&r.Head, direct)
	}
	value, ok := r.Head.Find(p.header)
	if !ok {
		return client, false
	}
	client, _, found = p.trusted.Client(value, direct, p.recursive)
	return client, found
}

// lastForwarded walks the fields of X-Forwarded-For from the last to the
// first: the last was written by the nearest proxy.
func (p *RealIP) lastForwarded(h *request.Head, direct netip.Addr) (client netip.AddrPort, found bool) {
	first := h.First(request.FieldXForwardedFor)
	if first < 0 {
		return client, false
	}
	for i := len(h.Fields) - 1; i >= first; i-- {
		f := &h.Fields[i]
		if f.ID != request.FieldXForwardedFor {
			continue
		}
		next, more, ok := p.trusted.Client(h.Value(f), direct, p.recursive)
		if ok {
			client, found, direct = next, true, next.Addr()
		}
		if !ok || !more || !p.recursive {
			break
		}
	}
	return client, found
}

// Client reads a list of addresses, the nearest last, as a trusted proxy
// wrote it. It returns the last one, or with recursive the last that is not
// itself trusted. nearest is who sent the list; more tells that the whole list
// was read and the proxy before it may have left another.
func (t *Trusted) Client(list []byte, nearest netip.Addr, recursive bool) (client netip.AddrPort, more, found bool) {
	for t.Has(nearest) {
		list = bytes.TrimRight(list, " ,")
		at := bytes.LastIndexAny(list, " ,") + 1
		a, ok := parseAddrPort(list[at:])
		if !ok {
			return client, false, found
		}
		client, nearest, found = a, a.Addr(), true
		if !recursive || at == 0 {
			return client, true, true
		}
		list = list[:at-1]
	}
	return client, false, found
}

// parseAddrPort reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" and
// "[2001:db8::1]:80".
func parseAddrPort(b []byte) (a netip.AddrPort, ok bool) {
	colon := bytes.LastIndexByte(b, ':')
	bracketed := len(b) > 0 && b[0] == '['
	if colon < 0 || !bracketed && bytes.IndexByte(b, ':') < colon {
		addr, ok := parseAddr(b)
		return netip.AddrPortFrom(addr, 0), ok
	}
	port, ok := parsePort(b[colon+1:])
	if !ok {
		return a, false
	}
	host := b[:colon]
	if bracketed {
		if host[len(host)-1] != ']' {
			return a, false
		}
		host = host[1 : len(host)-1]
	}
	addr, ok := parseAddr(host)
	return netip.AddrPortFrom(addr, port), ok
}

// parseAddr reads an address without a zone: those have no meaning on this
// host.
func parseAddr(b []byte) (netip.Addr, bool) {
	if len(b) == 0 || bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	// The string lives only as long as the call, apart from an error that is
	// dropped; converting would allocate for every request.
	a, err := netip.ParseAddr(unsafe.String(&b[0], len(b)))
	return a, err == nil
}

func parsePort(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, 16)
	return uint16(n), err == nil && n > 0
}
