package proxy

import (
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
)

// rules are the proxy_* directives of a location that say how replies are
// delivered, made ready.
type rules struct {
	PassTrailers    bool
	InterceptErrors bool
	Buffering       bool

	hide      fieldSet // fields of the reply that are not passed on
	ignore    uint64   // fields of the reply that are not acted upon
	redirects []redirectRule
	cookies   cookieRules

	bufferMemory int // proxy_buffers in bytes
	maxTempFile  int64
	tempDir      string
}

// heeds tells whether a field of the reply is acted upon.
func (u *rules) heeds(id request.FieldID) bool { return u.ignore&(1<<id) == 0 }

// rules compiles how replies are delivered.
func (c *compiler) rules(conf *config.Location) rules {
	ps := conf.Exchanges()
	return rules{
		PassTrailers: ps.PassTrailers, InterceptErrors: ps.InterceptErrors, Buffering: ps.Buffering,
		hide: hidden(ps, conf.Proxy.GRPC), ignore: ignored(conf),
		redirects: c.redirects(conf.Proxy, ps), cookies: c.cookieRules(ps),
		bufferMemory: int(ps.Buffers.Size) * int(ps.Buffers.Number),
		maxTempFile:  ps.MaxTempFileSize, tempDir: ps.TempPath.Path,
	}
}

// hidden are the fields of a reply that concern weir and the upstream only.
func hidden(ps *config.ProxySettings, grpc bool) (hide fieldSet) {
	if !grpc {
		hide.known |= request.Set(request.FieldXPad)
	}
	for _, id := range []request.FieldID{
		request.FieldDate, request.FieldServer, request.FieldXAccelExpires,
		request.FieldXAccelRedirect, request.FieldXAccelLimitRate, request.FieldXAccelBuffering, request.FieldXAccelCharset,
	} {
		hide.known |= request.Set(id)
	}
	for _, name := range ps.HideHeaders {
		hide.add(name)
	}
	for _, name := range ps.PassFields {
		hide.remove(name)
	}
	return hide
}

func ignored(conf *config.Location) (mask uint64) {
	for _, name := range conf.Exchanges().IgnoreHeaders {
		mask |= 1 << request.Known([]byte(name))
	}
	if conf.Proxy.GRPC { // whose replies always pass as they come
		mask |= 1 << request.FieldXAccelBuffering
	}
	return mask &^ (1 << request.FieldOther)
}

// redirects compiles proxy_redirect; its default makes what names the
// upstream's own URL name the location.
func (c *compiler) redirects(pass *config.ProxyPass, ps *config.ProxySettings) (rules []redirectRule) {
	if ps.RedirectOff {
		return nil
	}
	list := ps.Redirects
	if len(list) == 0 {
		list = []config.ProxyRedirect{{Default: true}}
	}
	for _, d := range list {
		if d.Default {
			if from, to, ok := defaultRedirect(pass); ok {
				rules = append(rules, redirectRule{from: c.text(from), to: c.text(to)})
			}
			continue
		}
		rule := redirectRule{to: c.text(d.To)}
		if d.Regex != nil {
			rule.regex = c.regex(d.Regex)
		} else {
			rule.from = c.text(d.From)
		}
		rules = append(rules, rule)
	}
	return rules
}

func defaultRedirect(pass *config.ProxyPass) (from, to config.Text, ok bool) {
	switch {
	case pass.Vars:
		return from, to, false
	case pass.HasURI:
		return config.Text{Value: pass.URL.Value}, config.Text{Value: pass.Prefix}, true
	}
	return config.Text{Value: pass.URL.Value + "/"}, config.Text{Value: "/"}, true
}
