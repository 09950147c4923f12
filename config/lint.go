package config

import "strings"

// lint warns of what is legal and hardly meant.
func (b *builder) lint() {
	for _, m := range b.cfg.HTTP.Maps {
		b.lintMap(m)
	}
	b.lintSchemes()
	b.lintCaches()
	b.noteConnectionFields()
}

// noteConnectionFields tells of fields that are set for upstreams to which
// HTTP/2 is spoken, which does not have them (RFC 9113, 8.2.2).
func (b *builder) noteConnectionFields() {
	type place struct {
		at   Pos
		name string
	}
	told := map[place]bool{}
	for _, l := range b.locations() {
		if l.Proxy == nil || l.Exchanges().HTTPVersion != HTTP20 {
			continue
		}
		for _, h := range l.Exchanges().SetHeaders {
			if h.Value.Value == "" || told[place{h.Pos, h.Name}] || !isConnectionField(h.Name) {
				continue
			}
			told[place{h.Pos, h.Name}] = true
			what := "proxy_set_header " + h.Name
			if l.Proxy.GRPC {
				what = "grpc_set_header " + h.Name
			}
			b.cfg.Notes = append(b.cfg.Notes, Note{Pos: h.Pos, Directive: what, State: Meaningless,
				Msg: `"` + what + `" has no effect on requests over HTTP/2, which has neither this field nor upgrades of connections`})
		}
	}
}

// isConnectionField tells whether a field is one of HTTP/1's own.
func isConnectionField(name string) bool {
	return indexFold([]string{"Connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "HTTP2-Settings"}, name) >= 0
}

// lintCaches finds caches that store nothing unless the replies ask for it,
// which those of most applications do not.
func (b *builder) lintCaches() {
	warned := map[Pos]bool{}
	for _, l := range b.locations() {
		c := &l.Exchanges().Cache
		if l.Proxy == nil || l.Proxy.GRPC || c.Zone.IsZero() || len(c.Valid) > 0 || warned[c.Zone.Pos] {
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
