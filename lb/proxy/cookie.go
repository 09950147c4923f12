package proxy

import (
	"bytes"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// cookieRules are proxy_cookie_domain, _path and _flags.
type cookieRules struct {
	domains, paths []redirectRule
	flags          []flagRule
}

// flagRule is one proxy_cookie_flags.
type flagRule struct {
	name  *variable.Text
	regex *variable.Regex // nil: name is compared
	flags []*variable.Text
}

func (c *compiler) cookieRules(ps *config.ProxySettings) (rules cookieRules) {
	rules.domains = c.cookieRewrites(ps.CookieDomains)
	rules.paths = c.cookieRewrites(ps.CookiePaths)
	for _, f := range ps.CookieFlags {
		rule := flagRule{}
		if f.Regex != nil {
			rule.regex = c.regex(f.Regex)
		} else {
			rule.name = c.text(f.Name)
		}
		for _, flag := range f.Flags {
			rule.flags = append(rule.flags, c.text(config.Text{Value: flag, Pos: f.Pos}))
		}
		rules.flags = append(rules.flags, rule)
	}
	return rules
}

func (c *compiler) cookieRewrites(list []config.CookieRewrite) (rules []redirectRule) {
	for _, w := range list {
		rule := redirectRule{to: c.text(w.To)}
		if w.Regex != nil {
			rule.regex = c.regex(w.Regex)
		} else {
			rule.from = c.text(w.From)
		}
		rules = append(rules, rule)
	}
	return rules
}

// cookie rewrites one Set-Cookie field.
func (d *delivery) cookie(f *request.Field) {
	rules := &d.h.cookies
	if rules.domains == nil && rules.paths == nil && rules.flags == nil {
		return
	}
	value := d.r.Upstream.Value(f)
	var out, name []byte
	changed := false
	for i, part := range bytes.Split(value, []byte(";")) {
		part = bytes.TrimSpace(part)
		key, val, _ := bytes.Cut(part, []byte("="))
		if i == 0 {
			name = key
			out = append(out, part...)
			continue
		}
		if rewritten, ok := d.attribute(key, val); ok {
			part = append(append(bytes.Clone(key), '='), rewritten...)
			changed = true
		}
		out = append(append(out, "; "...), part...)
	}
	for i := range rules.flags {
		if rules.flags[i].fits(d.r, name) {
			out, changed = rules.flags[i].apply(d.r, out), true
			break
		}
	}
	if !changed {
		return
	}
	f.Skip = true
	d.r.Reply.Add("Set-Cookie", out)
}

// attribute rewrites Domain or Path by the first rule that fits.
func (d *delivery) attribute(key, val []byte) ([]byte, bool) {
	switch {
	case bytes.EqualFold(key, []byte("domain")):
		for i := range d.h.cookies.domains {
			if out, ok := d.h.cookies.domains[i].domain(d.r, val); ok {
				return out, true
			}
		}
	case bytes.EqualFold(key, []byte("path")):
		for i := range d.h.cookies.paths {
			if out, ok := d.h.cookies.paths[i].apply(d.r, val); ok {
				return out, true
			}
		}
	}
	return nil, false
}

// domain compares whole domains without regard to case; a leading dot does
// not count, but regular expressions see it.
func (d *redirectRule) domain(r *request.Request, val []byte) ([]byte, bool) {
	if d.regex != nil {
		if !d.regex.Match(r, val) {
			return nil, false
		}
		return d.to.Value(r), true
	}
	bare := bytes.TrimPrefix(val, []byte("."))
	if !bytes.EqualFold(bytes.TrimPrefix(d.from.Value(r), []byte(".")), bare) {
		return nil, false
	}
	dot := val[:len(val)-len(bare)] // it stays, as in nginx
	return append(bytes.Clone(dot), d.to.Value(r)...), true
}

func (f *flagRule) fits(r *request.Request, name []byte) bool {
	if f.regex != nil {
		return f.regex.Match(r, name)
	}
	return bytes.Equal(f.name.Value(r), name)
}

// apply sets and removes attributes.
func (f *flagRule) apply(r *request.Request, cookie []byte) []byte {
	for _, t := range f.flags {
		switch flag := strings.ToLower(string(t.Value(r))); flag {
		case "secure", "httponly", "nosecure", "nohttponly", "nosamesite":
			name := strings.TrimPrefix(flag, "no")
			cookie = withoutAttribute(cookie, name)
			if name == flag {
				cookie = append(append(cookie, "; "...), attributeNames[name]...)
			}
		case "samesite=strict", "samesite=lax", "samesite=none":
			cookie = withoutAttribute(cookie, "samesite")
			value := flag[len("samesite="):]
			cookie = append(append(cookie, "; SameSite="...), strings.ToUpper(value[:1])+value[1:]...)
		}
	}
	return cookie
}

var attributeNames = map[string]string{"secure": "Secure", "httponly": "HttpOnly"}

func withoutAttribute(cookie []byte, name string) []byte {
	var out []byte
	for i, part := range bytes.Split(cookie, []byte("; ")) {
		key, _, _ := bytes.Cut(part, []byte("="))
		if i > 0 && strings.EqualFold(string(key), name) {
			continue
		}
		if i > 0 {
			out = append(out, "; "...)
		}
		out = append(out, part...)
	}
	return out
}
