package proxy

import (
	"crypto/tls"
	"path/filepath"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// identity is the client certificate of a location where variables name it.
type identity struct {
	certificate, key *variable.Text
	prefix           string // of relative names
	loaded           *cert.Deferred
}

// newIdentity returns nil where the names have no variables.
func newIdentity(t *config.ProxyTLS, env *Env) (*identity, error) {
	if !strings.Contains(t.Certificate.Value, "$") && !strings.Contains(t.CertificateKey.Value, "$") {
		return nil, nil
	}
	c := compiler{table: env.Table}
	id := &identity{certificate: c.text(t.Certificate), key: c.text(t.CertificateKey), prefix: env.ConfPrefix}
	if c.err != nil {
		return nil, c.err
	}
	var err error
	id.loaded, err = cert.NewDeferred(env.Files, t.PasswordFile)
	return id, err
}

// shown is the certificate that an exchange shows to its peers, where
// variables name it.
type shown struct {
	certificate *tls.Certificate // nil: none
	name        string
}

// identify finds the certificate of an exchange; a status that is not 0 is
// the answer. A name that comes out empty means none.
func (x *exchange) identify() int {
	id := x.h.conn.identity
	if id == nil || !x.tls {
		return 0
	}
	name := string(id.certificate.Value(x.r))
	if name == "" {
		x.shown = shown{}
		return 0
	}
	c, err := id.loaded.Load(cert.Pair{Certificate: id.path(name), Key: id.path(string(id.key.Value(x.r)))})
	if err != nil {
		x.r.Logf(errorlog.Error, "%v", err)
		return 500
	}
	x.shown = shown{certificate: c, name: name}
	return 0
}

// path completes the name of a file; inline text stays as it is.
func (id *identity) path(name string) string {
	if strings.HasPrefix(name, "data:") || filepath.IsAbs(name) {
		return name
	}
	return id.prefix + name
}
