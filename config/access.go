package config

import (
	"net/netip"
	"strings"
)

// parseCIDR reads an address or a network. The second result says that bits
// beyond the mask were set, which are dropped.
func parseCIDR(s string) (p netip.Prefix, low, ok bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return p, false, false
		}
		return netip.PrefixFrom(a, a.BitLen()), false, true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		p, ok = parseNetmask(s)
		if !ok {
			return p, false, false
		}
	}
	return p.Masked(), p.Masked() != p, true
}

// parseNetmask reads the old form "10.0.0.0/255.0.0.0".
func parseNetmask(s string) (netip.Prefix, bool) {
	addr, mask, _ := strings.Cut(s, "/")
	a, err1 := netip.ParseAddr(addr)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	for bits := 0; bits <= 32; bits++ {
		if p, err := m.Prefix(bits); err == nil && p.Addr() == m {
			full, _ := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(bits)
			if full.Addr() == m {
				return netip.PrefixFrom(a, bits), true
			}
		}
	}
	return netip.Prefix{}, false
}

// cidr reads a network and warns of meaningless bits in it.
func (s *scope) cidr(d *Directive, text string) (netip.Prefix, bool) {
	p, low, ok := parseCIDR(text)
	if low {
		s.warn(d.Pos, "low address bits of "+text+" are meaningless", "")
	}
	return p, ok
}

// setAccess is both allow and deny: they make one list.
func setAccess(s *scope, d *Directive) error {
	r := AccessRule{Pos: d.Pos, Allow: d.Name == "allow"}
	ok := true
	switch a := d.Args[0]; a {
	case "all":
		r.All = true
	case "unix:":
		r.Unix = true
	default:
		if r.Prefix, ok = s.cidr(d, a); !ok {
			return d.Pos.Errorf(`invalid parameter "%s"`, a)
		}
	}
	add(s, "access", &s.settings.AccessRules, r)
	return nil
}

func setRealIPFrom(s *scope, d *Directive) error {
	src := RealIPSource{Pos: d.Pos}
	a := d.Args[0]
	if a == "unix:" {
		src.Unix = true
	} else if p, ok := s.cidr(d, a); ok {
		src.Prefix = p
	} else {
		hp, bad := parseHostPort(a, 0, false)
		if bad != "" || hp.portSet || hp.unix != "" || strings.HasPrefix(hp.host, "[") {
			return d.Pos.Errorf(`invalid parameter "%s"`, a)
		}
		src.Host = hp.host
	}
	add(s, d.Name, &s.settings.RealIP.From, src)
	return nil
}

// setLimitExcept builds the body that applies to all methods but the listed.
func setLimitExcept(s *scope, d *Directive) error {
	l := &LimitExcept{Pos: d.Pos}
	for _, m := range d.Args {
		if indexFold(limitMethods(), m) < 0 {
			return d.Pos.Errorf(`invalid method "%s"`, m)
		}
		l.Methods = append(l.Methods, strings.ToUpper(m))
		if strings.EqualFold(m, "GET") {
			l.Methods = append(l.Methods, "HEAD")
		}
	}
	s.location.LimitExcept = l
	s.after = append(s.after, func() error {
		l.Body = &Location{Pos: d.Pos, Kind: MatchLimitExcept, Proxy: s.location.Proxy,
			StubStatus: s.location.StubStatus, Pending: s.location.Pending}
		return buildLocation(s, d, l.Body, InLimitExcept)
	})
	return nil
}

func limitMethods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS",
		"PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH"}
}
