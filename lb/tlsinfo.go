package lb

import (
	"time"

	"github.com/weir-lb/weir/lb/cert"
)

// tlsInfo gives the `$ssl_…` variables of a connection by their names.
type tlsInfo struct{ *cert.Info }

// Verified implements request.TLS.
func (i tlsInfo) Verified() string { return i.ClientVerify() }

// Value implements request.TLS.
func (i tlsInfo) Value(name string) (string, bool) {
	v := ""
	switch name {
	case "protocol":
		v = i.Protocol()
	case "cipher":
		v = i.Cipher()
	case "ciphers":
		v = i.Hello.Ciphers()
	case "curves":
		v = i.Hello.Curves()
	case "session_id":
		v = i.SessionID()
	case "curve":
		v = i.Curve()
	case "server_name":
		v = i.ServerName()
	case "session_reused":
		v = i.SessionReused()
	case "alpn_protocol":
		v = i.ALPN()
	case "client_s_dn":
		v = i.ClientSubject()
	case "client_s_dn_legacy":
		v = i.ClientSubjectLegacy()
	case "client_i_dn":
		v = i.ClientIssuer()
	case "client_i_dn_legacy":
		v = i.ClientIssuerLegacy()
	case "client_serial":
		v = i.ClientSerial()
	case "client_fingerprint":
		v = i.ClientFingerprint()
	case "client_cert":
		v = i.ClientCert()
	case "client_raw_cert":
		v = i.ClientRawCert()
	case "client_escaped_cert":
		v = i.ClientEscapedCert()
	case "client_v_start":
		v = i.ClientStart()
	case "client_v_end":
		v = i.ClientEnd()
	case "client_v_remain":
		v = i.ClientRemain(time.Now())
	}
	return v, v != ""
}
