package config

import "strings"

// setProxyPass reads the address requests are passed to.
func setProxyPass(s *scope, d *Directive) error {
	p := &ProxyPass{Pos: d.Pos, URL: d.text(0)}
	s.location.Proxy, s.location.StubStatus, s.location.Pending = p, false, ""
	if hasVars(p.URL.Value) {
		p.Vars = true
		return nil
	}
	rest, port, ok := cutScheme(p.URL.Value)
	if !ok {
		return d.Pos.Errorf("invalid URL prefix")
	}
	p.TLS = port == 443
	hp, bad := parseHostPort(rest, port, true)
	if bad != "" {
		return d.Pos.Errorf(`%s in upstream "%s"`, bad, rest)
	}
	p.Host, p.Port, p.PortSet, p.Unix = hp.host, hp.port, hp.portSet, hp.unix
	p.URI, p.HasURI = hp.uri, hp.uri != ""
	if strings.HasPrefix(p.URI, "?") {
		p.URI = "/" + p.URI
	}
	switch {
	case p.Unix != "":
		p.HostHeader = "localhost"
	case hp.port == port:
		p.HostHeader = hp.host
	default:
		p.HostHeader = hp.String()
	}
	if s.location.isPath() {
		p.Prefix = s.location.Pattern
	} else if p.HasURI {
		return d.Pos.Errorf(`"proxy_pass" cannot have URI part in location given by regular expression, ` +
			`or inside named location, or inside "if" statement, or inside "limit_except" block`)
	}
	return nil
}

// cutScheme takes the scheme off a URL and gives its default port.
func cutScheme(url string) (rest string, port uint16, ok bool) {
	for _, scheme := range []struct {
		prefix string
		port   uint16
	}{{"http://", 80}, {"https://", 443}} {
		if rest, ok = cutPrefixFold(url, scheme.prefix); ok {
			return rest, scheme.port, true
		}
	}
	return "", 0, false
}

// setProxyRedirect reads "off", "default", or what to replace and by what.
func setProxyRedirect(s *scope, d *Directive) error {
	p := &s.settings.ProxySettings
	if s.seen["proxy_redirect off"] {
		return fail(d, "is duplicate")
	}
	r := ProxyRedirect{Pos: d.Pos}
	if len(d.Args) == 1 {
		switch d.Args[0] {
		case "off":
			if !s.first("list " + d.Name) {
				return fail(d, "is duplicate")
			}
			s.seen["proxy_redirect off"] = true
			p.Redirects, p.RedirectOff = nil, true
			return nil
		case "default":
			r.Default = true
		default:
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[0])
		}
	}
	if r.Default {
		if s.location == nil || s.location.Proxy == nil || s.location.Proxy.GRPC {
			return d.Pos.Errorf(`"proxy_redirect default" should be placed after the "proxy_pass" directive`)
		}
		if s.location.Proxy.Vars {
			return d.Pos.Errorf(`"proxy_redirect default" cannot be used with "proxy_pass" directive with variables`)
		}
	} else {
		r.From, r.Regex = textOrRegex(d, 0)
		r.To = d.text(1)
	}
	p.RedirectOff = false
	add(s, d.Name, &p.Redirects, r)
	return nil
}

// textOrRegex reads argument i, which is a regular expression after a tilde.
func textOrRegex(d *Directive, i int) (Text, *Regex) {
	pattern, ok := strings.CutPrefix(d.Args[i], "~")
	if !ok {
		return d.text(i), nil
	}
	pattern, noCase := strings.CutPrefix(pattern, "*")
	return Text{}, &Regex{Pattern: pattern, NoCase: noCase, Pos: d.Pos}
}

// offList handles "off" in a list directive: it empties the list and must stand
// alone in its block. It reports whether the directive was "off".
func offList[T any](s *scope, d *Directive, list *[]T) (bool, error) {
	key := d.Name + " off"
	if s.seen[key] {
		return false, fail(d, "is duplicate")
	}
	if len(d.Args) != 1 || d.Args[0] != "off" {
		return false, nil
	}
	if !s.first("list " + d.Name) {
		return false, fail(d, "is duplicate")
	}
	s.seen[key] = true
	*list = nil
	return true, nil
}

func setCookieRewrite(at func(*scope) *[]CookieRewrite) setter {
	return func(s *scope, d *Directive) error {
		if off, err := offList(s, d, at(s)); off || err != nil {
			return err
		}
		if len(d.Args) == 1 {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[0])
		}
		r := CookieRewrite{Pos: d.Pos, To: d.text(1)}
		r.From, r.Regex = textOrRegex(d, 0)
		// Cookie domains are compared without case, and without the leading dot.
		if d.Name == "proxy_cookie_domain" && r.Regex != nil {
			r.Regex.NoCase = true
		} else if d.Name == "proxy_cookie_domain" {
			r.From.Value = strings.TrimPrefix(r.From.Value, ".")
		}
		add(s, d.Name, at(s), r)
		return nil
	}
}

func setCookieFlags(s *scope, d *Directive) error {
	list := &s.settings.ProxySettings.CookieFlags
	if off, err := offList(s, d, list); off || err != nil {
		return err
	}
	if len(d.Args) == 1 {
		return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[0])
	}
	f := CookieFlag{Pos: d.Pos}
	f.Name, f.Regex = textOrRegex(d, 0)
	allowed := []string{"secure", "nosecure", "httponly", "nohttponly", "nosamesite",
		"samesite=strict", "samesite=lax", "samesite=none"}
	for _, a := range d.Args[1:] {
		if indexFold(allowed, a) < 0 && !hasVars(a) {
			s.warn(d.Pos, `invalid proxy_cookie_flags flag "`+a+`"`, "it is left out")
			continue
		}
		f.Flags = append(f.Flags, a)
	}
	add(s, d.Name, list, f)
	return nil
}

// setBind reads the address that connections come from.
func setBind(p settingsOf) setter {
	return func(s *scope, d *Directive) error {
		b := &p(s).Bind
		*b = ProxyBind{}
		if len(d.Args) == 2 {
			if d.Args[1] != "transparent" {
				return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
			}
			b.Transparent = true
		}
		if d.Args[0] == "off" {
			return nil
		}
		if !hasVars(d.Args[0]) && !isBindAddress(d.Args[0]) {
			return d.Pos.Errorf(`invalid address "%s"`, d.Args[0])
		}
		b.Address = d.text(0)
		return nil
	}
}

// isBindAddress reports whether s is an address with an optional port.
func isBindAddress(s string) bool {
	if p, _, ok := parseCIDR(s); ok {
		return p.IsSingleIP()
	}
	hp, bad := parseHostPort(s, 0, false)
	_, _, ok := parseCIDR(strings.Trim(hp.host, "[]"))
	return bad == "" && ok
}

// checkSizes applies nginx's rules between the sizes of buffers.
func (p *ProxySettings) checkSizes(at Pos) error {
	largest := max(p.BufferSize, p.Buffers.Size)
	switch {
	case p.Buffers.Number < 2:
		return at.Errorf(`there must be at least 2 "proxy_buffers"`)
	case p.Busy() < largest:
		return at.Errorf(`"proxy_busy_buffers_size" must be equal to or greater than the maximum of ` +
			`the value of "proxy_buffer_size" and one of the "proxy_buffers"`)
	case p.Busy() > int64(p.Buffers.Number-1)*p.Buffers.Size:
		return at.Errorf(`"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one buffer`)
	case p.TempWrite() < largest:
		return at.Errorf(`"proxy_temp_file_write_size" must be equal to or greater than the maximum of ` +
			`the value of "proxy_buffer_size" and one of the "proxy_buffers"`)
	case p.MaxTempFileSize != 0 && p.MaxTempFileSize < largest:
		return at.Errorf(`"proxy_max_temp_file_size" must be equal to zero to disable temporary files usage ` +
			`or must be equal to or greater than the maximum of the value of "proxy_buffer_size" and one of the "proxy_buffers"`)
	}
	return nil
}
