package config

import "strings"

// lint warns of what is legal and hardly meant.
func (b *builder) lint() {
	for _, m := range b.cfg.HTTP.Maps {
		b.lintMap(m)
	}
	b.lintSchemes()
	b.lintCaches()
}

// lintCaches finds caches that store nothing unless the replies ask for it,
// which those of most applications do not.
func (b *builder) lintCaches() {
	warned := map[Pos]bool{}
	for _, l := range b.locations() {
		c := &l.ProxySettings.Cache
		if l.Proxy == nil || c.Zone.IsZero() || len(c.Valid) > 0 || warned[c.Zone.Pos] {
			continue
		}
		warned[c.Zone.Pos] = true
		b.cfg.Warnings = append(b.cfg.Warnings, Warning{
			Pos:  c.Zone.Pos,
			Msg:  `"proxy_cache" without "proxy_cache_valid" stores only replies that say themselves how long they are fresh`,
			Hint: `most applications do not; "proxy_cache_valid 200 1m;" would store theirs`,
		})
	}
}

// lintMap finds the map of the WebSocket recipe with one space where an empty
// key is meant: ordinary requests then carry "Connection: upgrade".
func (b *builder) lintMap(m *Map) {
	for _, e := range m.Entries {
		if e.Regex == nil && e.Key != "" && strings.TrimSpace(e.Key) == "" {
			b.cfg.Warnings = append(b.cfg.Warnings, Warning{
				Pos:  e.Pos,
				Msg:  `the key of "map" for $` + m.Name + " is blank but not empty, so that an absent value does not match it",
				Hint: "write '' for requests without the field",
			})
		}
	}
}

// lintSchemes finds upstream groups that are passed to with TLS and without:
// servers hardly ever speak both on one port.
func (b *builder) lintSchemes() {
	first := map[*Upstream]*ProxyPass{}
	warned := map[*Upstream]bool{}
	for _, p := range b.proxies() {
		u := b.findUpstream(p.Host)
		switch {
		case p.Vars || u == nil || warned[u]:
		case first[u] == nil:
			first[u] = p
		case first[u].TLS != p.TLS:
			warned[u] = true
			plain, tls := first[u], p
			if plain.TLS {
				plain, tls = tls, plain
			}
			b.cfg.Warnings = append(b.cfg.Warnings, Warning{
				Pos:  tls.Pos,
				Msg:  `upstream "` + u.Name + `" is passed to with ` + tls.Scheme() + ` here and with ` + plain.Scheme() + ` at ` + plain.Pos.String(),
				Hint: "if its servers do not speak TLS, the handshake fails and clients get 502",
			})
		}
	}
}
