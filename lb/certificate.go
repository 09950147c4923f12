package lb

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// certificates are those of a server whose names hold variables: they are
// known per handshake only.
type certificates struct {
	texts  [][2]*variable.Text // certificate and key
	loaded *cert.Deferred
	prefix string // of relative names
	slots  func() int
}

// tlsServer makes the TLS side of a server.
func (c *compiler) tlsServer(s *server) error {
	conf := s.conf
	o := c.serverOptions(conf)
	var err error
	if o.TicketKeys, err = c.ticketKeys(&conf.TLS); err != nil {
		return conf.TLS.Pos.SessionTicketKeys.Errorf("%v", err)
	}
	if !conf.TLS.RejectHandshake && namesVary(&conf.TLS) {
		o.Deferred = true
		if s.certificates, err = c.certificates(&conf.TLS); err != nil {
			return err
		}
	}
	if s.tls, err = cert.NewServer(o); err != nil {
		return conf.Pos.Errorf("%v", err)
	}
	s.alpn = s.tls.WithALPN(append([]string{"h2"}, o.ALPN...)...)
	if ignored := s.tls.IgnoredCiphers(); len(ignored) > 0 && !c.told[conf.TLS.Pos.Ciphers] {
		c.told[conf.TLS.Pos.Ciphers] = true
		c.b.options.Log.Logf(errorlog.Notice, 0, `"ssl_ciphers" names ciphers that are not known here and left out: %s in %s`,
			strings.Join(ignored, ":"), conf.TLS.Pos.Ciphers)
	}
	return nil
}

// ticketKeys are the keys of ssl_session_ticket_key files, read once for all
// servers that name the same, or the balancer's own, which outlive reloads.
func (c *compiler) ticketKeys(t *config.TLS) (*cert.TicketKeys, error) {
	if len(t.SessionTicketKeys) == 0 {
		return c.b.tickets, nil
	}
	name := strings.Join(t.SessionTicketKeys, "\n")
	if k := c.tickets[name]; k != nil {
		return k, nil
	}
	k, err := cert.LoadTicketKeys(t.SessionTicketKeys)
	if err != nil {
		return nil, err
	}
	c.tickets[name] = k
	return k, nil
}

// namesVary tells whether a certificate or key is named by variables; then all
// of them are found at the handshake.
func namesVary(t *config.TLS) bool {
	for i := range t.Certificates {
		if strings.Contains(t.Certificates[i].Value, "$") || strings.Contains(t.CertificateKeys[i].Value, "$") {
			return true
		}
	}
	return false
}

func (c *compiler) certificates(t *config.TLS) (*certificates, error) {
	found := &certificates{prefix: c.g.conf.ConfPrefix, slots: c.g.table.Slots}
	for i := range t.Certificates {
		var pair [2]*variable.Text
		for j, text := range []config.Text{t.Certificates[i], t.CertificateKeys[i]} {
			var err error
			if pair[j], err = variable.CompileConfig(c.g.table, text); err != nil {
				return nil, err
			}
		}
		found.texts = append(found.texts, pair)
	}
	var err error
	if found.loaded, err = cert.NewDeferred(&c.files, t.PasswordFile); err != nil {
		return nil, t.Pos.PasswordFile.Errorf("%v", err)
	}
	return found, nil
}

// certificateError is a certificate that could not be loaded at a handshake.
type certificateError struct{ error }

// find is the source of certificates for the handshake of one connection. The
// variables are those that a connection has before its first request.
func (c *conn) find(s *server, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	j := c.b.getJob()
	defer c.b.putJob(j)
	r := &j.r
	known := c.Conn // a copy: what is known of TLS now is less than later
	known.TLS = helloInfo{hello.ServerName, c.asked.hello}
	r.Reset(&known, s.certificates.slots())
	r.Start, r.ServerName, r.Site, r.Log = time.Now(), s.name, s.own, s.own.log
	pairs := make([]cert.Pair, len(s.certificates.texts))
	for i, t := range s.certificates.texts {
		pairs[i] = cert.Pair{
			Certificate: s.certificates.path(string(t[0].Value(r))), Key: s.certificates.path(string(t[1].Value(r))),
		}
	}
	found, err := s.certificates.loaded.Find(hello, pairs)
	if err != nil {
		return nil, certificateError{err}
	}
	return found, nil
}

// path completes the name of a file; inline text stays as it is.
func (t *certificates) path(name string) string {
	if strings.HasPrefix(name, "data:") || filepath.IsAbs(name) {
		return name
	}
	return t.prefix + name
}

// helloInfo gives the `$ssl_…` variables of a connection whose client has said
// hello and no more: the name it asked for, and what it offers.
type helloInfo struct {
	name  string
	hello *cert.Hello
}

// Verified implements request.TLS.
func (h helloInfo) Verified() string { return "NONE" }

// Value implements request.TLS.
func (h helloInfo) Value(name string) (string, bool) {
	v := ""
	switch name {
	case "server_name":
		v = h.name
	case "ciphers":
		v = h.hello.Ciphers()
	case "curves":
		v = h.hello.Curves()
	}
	return v, v != ""
}
