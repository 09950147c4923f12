package lb

import (
	"errors"
	"io"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/wire"
)

// serverOptions are the ssl_* settings of a server for package cert.
func (c *compiler) serverOptions(s *config.Server) *cert.ServerOptions {
	t := &s.TLS
	o := &cert.ServerOptions{
		Files: &c.files, PasswordFile: t.PasswordFile, Protocols: t.Protocols, Ciphers: t.Ciphers, Curves: t.ECDHCurve,
		ALPN:      []string{"http/1.1", "http/1.0"},
		NoTickets: !t.SessionTickets || t.SessionCache.Off, SessionTimeout: t.SessionTimeout,
		ClientVerify: verifyModes[t.VerifyClient], ClientCA: t.ClientCertificate, TrustedCA: t.TrustedCertificate,
		CRL: t.CRL, VerifyDepth: t.VerifyDepth, VerifyDepthSet: true, RejectHandshake: t.RejectHandshake,
	}
	for i := range t.Certificates {
		o.Pairs = append(o.Pairs, cert.Pair{Certificate: t.Certificates[i].Value, Key: t.CertificateKeys[i].Value})
	}
	return o
}

var verifyModes = map[config.VerifyClient]cert.VerifyMode{
	config.VerifyOff: cert.VerifyOff, config.VerifyOn: cert.VerifyOn,
	config.VerifyOptional: cert.VerifyOptional, config.VerifyOptionalNoCA: cert.VerifyOptionalNoCA,
}

// statusPlain answers a plain request on a port for TLS.
const statusPlain = 497

// tlsStatus is the status that the connection's TLS side asks for; 0: none.
func (w *walk) tlsStatus() int {
	r := &w.r
	if w.c.misdirected {
		r.LogError(errorlog.Info, "client sent plain HTTP request to HTTPS port while reading client request headers")
		r.Reply.Close = true
		return statusPlain
	}
	info, ok := w.c.Conn.TLS.(tlsInfo)
	if !ok || !w.srv.verifies() || info.Verification.Status == 0 {
		return 0
	}
	r.LogError(errorlog.Info, info.Verification.LogText()+" while reading client request headers")
	r.Reply.Close = true
	return info.Verification.Status
}

// handshakeFailed logs why a client could not be talked to. Clients that go
// away are no news.
func (c *conn) handshakeFailed(err error) {
	var missing certificateError
	switch {
	case errors.As(err, &missing):
		c.complain(errorlog.Error, "%v while SSL handshaking", err)
	case errors.Is(err, wire.ErrInterrupted): // it had not begun, and was not to begin any more
	case errors.Is(err, io.EOF):
		c.complain(errorlog.Info, "peer closed connection in SSL handshake while SSL handshaking")
	case errors.Is(err, wire.ErrTimeout):
		c.complain(errorlog.Info, "client timed out (110: Connection timed out) while SSL handshaking")
	default:
		level := errorlog.Info
		if strings.Contains(err.Error(), "internal error") {
			level = errorlog.Crit
		}
		c.complain(level, "SSL_do_handshake() failed (%v) while SSL handshaking", err)
	}
}
