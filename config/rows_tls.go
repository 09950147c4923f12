package config

import (
	"strings"
	"time"
)

// tlsRows are the ssl_* directives of http and server.
func tlsRows() []row {
	return []row{
		{name: "ssl_certificate", in: inHTTPServer, args: args1, many: true, set: setCertificate(func(s *scope) *[]Text { return &s.shared.TLS.Certificates })},
		{name: "ssl_certificate_key", in: inHTTPServer, args: args1, many: true, set: setCertificate(func(s *scope) *[]Text { return &s.shared.TLS.CertificateKeys })},
		{name: "ssl_password_file", in: inHTTPServer, args: args1, set: confFile(func(s *scope) (*string, *Pos) {
			return &s.shared.TLS.PasswordFile, &s.shared.TLS.Pos.PasswordFile
		})},
		{name: "ssl_protocols", in: inHTTPServer, args: argsMore1, many: true, set: setProtocols(func(s *scope) (*[]string, *Pos) {
			return &s.shared.TLS.Protocols, &s.shared.TLS.Pos.Protocols
		}), why: "SSLv2 and SSLv3 do not exist in Go's TLS; TLSv1 and TLSv1.1 work if written"},
		{name: "ssl_ciphers", in: inHTTPServer, args: args1, set: func(s *scope, d *Directive) error {
			s.shared.TLS.Ciphers, s.shared.TLS.Pos.Ciphers = d.Args[0], d.Pos
			return nil
		}, differs: "the list says which ciphers are allowed; Go's TLS decides their order, and those of TLS 1.3"},
		{name: "ssl_prefer_server_ciphers", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.TLS.PreferServerCiphers }),
			state: Meaningless, why: "Go's TLS orders ciphers by what both sides' hardware does best"},
		{name: "ssl_ecdh_curve", in: inHTTPServer, args: args1, set: func(s *scope, d *Directive) error {
			s.shared.TLS.ECDHCurve, s.shared.TLS.Pos.ECDHCurve = d.Args[0], d.Pos
			return nil
		}, differs: "says which curves are allowed; Go's TLS decides their order"},
		{name: "ssl_session_cache", in: inHTTPServer, args: args1 | args2, set: setSessionCache,
			state: Meaningless, why: "sessions are resumed by tickets only, which need no cache"},
		{name: "ssl_session_timeout", in: inHTTPServer, args: args1, set: sec(func(s *scope) *time.Duration { return &s.shared.TLS.SessionTimeout }),
			differs: "tickets are honoured for at most seven days, whatever is written"},
		{name: "ssl_session_tickets", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.TLS.SessionTickets }),
			differs: "off also turns resumption off, because sessions are resumed by tickets only"},
		{name: "ssl_session_ticket_key", in: inHTTPServer, args: args1, many: true, set: func(s *scope, d *Directive) error {
			s.shared.TLS.Pos.SessionTicketKeys = d.Pos
			add(s, d.Name, &s.shared.TLS.SessionTicketKeys, s.confPath(d.Args[0]))
			return nil
		}, differs: "the files are nginx's, but tickets that nginx has sealed with them are not opened here, nor the other way around"},
		{name: "ssl_client_certificate", in: inHTTPServer, args: args1, set: confFile(func(s *scope) (*string, *Pos) {
			return &s.shared.TLS.ClientCertificate, &s.shared.TLS.Pos.ClientCertificate
		})},
		{name: "ssl_trusted_certificate", in: inHTTPServer, args: args1, set: confFile(func(s *scope) (*string, *Pos) {
			return &s.shared.TLS.TrustedCertificate, &s.shared.TLS.Pos.TrustedCertificate
		})},
		{name: "ssl_crl", in: inHTTPServer, args: args1, set: confFile(func(s *scope) (*string, *Pos) { return &s.shared.TLS.CRL, &s.shared.TLS.Pos.CRL })},
		{name: "ssl_verify_client", in: inHTTPServer, args: args1, set: func(s *scope, d *Directive) error {
			s.shared.TLS.Pos.VerifyClient = d.Pos
			return enum(func(s *scope) *VerifyClient { return &s.shared.TLS.VerifyClient },
				word[VerifyClient]{"off", VerifyOff}, word[VerifyClient]{"on", VerifyOn},
				word[VerifyClient]{"optional", VerifyOptional}, word[VerifyClient]{"optional_no_ca", VerifyOptionalNoCA})(s, d)
		}},
		{name: "ssl_verify_depth", in: inHTTPServer, args: args1, set: number(func(s *scope) *int { return &s.shared.TLS.VerifyDepth })},
		{name: "ssl_reject_handshake", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.TLS.RejectHandshake })},
	}
}

func tlsVersions() []string {
	return []string{"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
}

func setCertificate(at func(*scope) *[]Text) setter {
	return func(s *scope, d *Directive) error {
		add(s, d.Name, at(s), s.confText(d))
		return nil
	}
}

// setProtocols reads names of TLS versions. Old ones draw a warning.
func setProtocols(at func(*scope) (*[]string, *Pos)) setter {
	return func(s *scope, d *Directive) error {
		list, pos := at(s)
		*pos = d.Pos
		err := oneOf(func(*scope) *[]string { return list }, tlsVersions()...)(s, d)
		if err != nil {
			return err
		}
		if len(*list) > 0 && !strings.Contains(strings.Join(*list, " "), "TLSv1") {
			return d.Pos.Errorf(`"%s" names no protocol that weir has`, d.Name)
		}
		for _, p := range *list {
			switch p {
			case "SSLv2", "SSLv3":
				s.warn(d.Pos, `"`+d.Name+`" names `+p+`, which weir does not have`, "TLSv1.2 and TLSv1.3 are what clients need today")
			case "TLSv1", "TLSv1.1":
				s.warn(d.Pos, `"`+d.Name+`" allows `+p+`, which is obsolete (RFC 8996)`, "TLSv1.2 and TLSv1.3 are what clients need today")
			}
		}
		return nil
	}
}

// setSessionCache reads "off", "none", "builtin[:n]" and "shared:name:size".
func setSessionCache(s *scope, d *Directive) error {
	c := SessionCache{}
	bad := func(a string) error { return d.Pos.Errorf(`invalid session cache "%s"`, a) }
	for _, a := range d.Args {
		switch {
		case a == "off":
			c.Off = true
		case a == "none":
		case a == "builtin":
			c.Builtin = 20480
		case strings.HasPrefix(a, "builtin:"):
			n, ok := parseNumber(a[len("builtin:"):])
			if !ok {
				return bad(a)
			}
			c.Builtin = n
		case strings.HasPrefix(a, "shared:"):
			name, sizeText, _ := strings.Cut(a[len("shared:"):], ":")
			n, ok := parseSize(sizeText)
			if !ok || name == "" {
				return bad(a)
			}
			if n < 8*pageSize {
				return d.Pos.Errorf(`session cache "%s" is too small`, a)
			}
			c.Name, c.Size = name, n
		default:
			return bad(a)
		}
	}
	s.shared.TLS.SessionCache = c
	return nil
}
