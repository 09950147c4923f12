package request

import (
	"net/netip"
	"time"

	"github.com/weir-lb/weir/lb/variable"
)

// addConnection adds what is known of the connection and its two ends.
func addConnection(t *variable.Table) {
	add(t, "remote_addr", func(r *Request) ([]byte, bool) { return r.ClientText, true })
	add(t, "remote_port", func(r *Request) ([]byte, bool) { return r.port(r.ClientPort) })
	add(t, "binary_remote_addr", binaryRemoteAddr)
	add(t, "realip_remote_addr", func(r *Request) ([]byte, bool) { return r.Conn.RemoteText, true })
	add(t, "realip_remote_port", func(r *Request) ([]byte, bool) { return r.port(r.Conn.Remote.Port()) })
	add(t, "server_addr", serverAddr)
	add(t, "server_port", func(r *Request) ([]byte, bool) { return r.port(r.Conn.Local.Port()) })
	add(t, "connection", func(r *Request) ([]byte, bool) { return r.number(int64(r.Conn.Number)) })
	add(t, "connection_requests", func(r *Request) ([]byte, bool) { return r.number(int64(r.Conn.Requests)) })
	add(t, "connection_time", func(r *Request) ([]byte, bool) { return r.since(r.Conn.Start), true })
	add(t, "proxy_protocol_addr", func(r *Request) ([]byte, bool) { return r.proxyAddr(r.Conn.Proxied.source()) })
	add(t, "proxy_protocol_port", func(r *Request) ([]byte, bool) { return r.proxyPort(r.Conn.Proxied.source()) })
	add(t, "proxy_protocol_server_addr", func(r *Request) ([]byte, bool) { return r.proxyAddr(r.Conn.Proxied.destination()) })
	add(t, "proxy_protocol_server_port", func(r *Request) ([]byte, bool) { return r.proxyPort(r.Conn.Proxied.destination()) })
	add(t, "scheme", scheme)
	add(t, "https", https)
	add(t, "http2", http2)
	add(t, "http3", func(*Request) ([]byte, bool) { return nil, true })
}

// port is empty for unix sockets, which have none.
func (r *Request) port(port uint16) ([]byte, bool) {
	if port == 0 {
		return nil, true
	}
	return r.number(int64(port))
}

// since is the time passed, in seconds with milliseconds.
func (r *Request) since(start time.Time) []byte {
	return r.arena.Keep(variable.AppendSeconds(r.arena.Take(), time.Since(start)))
}

func (r *Request) address(a netip.Addr) []byte {
	return r.arena.Keep(a.AppendTo(r.arena.Take()))
}

func (r *Request) proxyAddr(a netip.AddrPort) ([]byte, bool) {
	if !a.IsValid() {
		return nil, false
	}
	return r.address(a.Addr()), true
}

func (r *Request) proxyPort(a netip.AddrPort) ([]byte, bool) {
	if !a.IsValid() {
		return nil, false
	}
	return r.number(int64(a.Port()))
}

// binaryRemoteAddr is the client's address as 4 or 16 bytes, the text of the
// address for unix sockets.
func binaryRemoteAddr(r *Request) ([]byte, bool) {
	switch {
	case r.Client.Is4():
		b := r.Client.As4()
		return r.arena.Copy(b[:]), true
	case r.Client.Is6():
		b := r.Client.As16()
		return r.arena.Copy(b[:]), true
	}
	return r.ClientText, true
}

func serverAddr(r *Request) ([]byte, bool) {
	if r.Conn.UnixPath != "" {
		return r.arena.Keep(append(append(r.arena.Take(), "unix:"...), r.Conn.UnixPath...)), true
	}
	return r.address(r.Conn.Local.Addr()), true
}

var (
	textHTTP, textHTTPS = []byte("http"), []byte("https")
	textOn              = []byte("on")
	textH2, textH2C     = []byte("h2"), []byte("h2c")
)

func scheme(r *Request) ([]byte, bool) {
	if r.Conn.TLS != nil {
		return textHTTPS, true
	}
	return textHTTP, true
}

func https(r *Request) ([]byte, bool) {
	if r.Conn.TLS != nil {
		return textOn, true
	}
	return nil, true
}

func http2(r *Request) ([]byte, bool) {
	switch {
	case r.Version != HTTP20:
		return nil, true
	case r.Conn.TLS != nil:
		return textH2, true
	}
	return textH2C, true
}

// tlsNames are the `$ssl_…` variables that Conn.TLS knows by these names.
var tlsNames = [...]string{
	"protocol", "cipher", "ciphers", "curve", "curves", "sigalg", "server_name", "session_id", "session_reused",
	"early_data", "alpn_protocol", "ech_status", "ech_outer_server_name",
	"client_cert", "client_raw_cert", "client_escaped_cert", "client_s_dn", "client_i_dn",
	"client_s_dn_legacy", "client_i_dn_legacy", "client_serial", "client_fingerprint", "client_sigalg",
	"client_v_start", "client_v_end", "client_v_remain",
}

// addTLS adds the `$ssl_…` variables; on a plain connection they have no value.
func addTLS(t *variable.Table) {
	for _, name := range tlsNames {
		add(t, "ssl_"+name, func(r *Request) ([]byte, bool) {
			if r.Conn.TLS == nil {
				return nil, false
			}
			v, ok := r.Conn.TLS.Value(name)
			return r.arena.Keep(append(r.arena.Take(), v...)), ok
		})
	}
	add(t, "ssl_client_verify", func(r *Request) ([]byte, bool) {
		if r.Conn.TLS == nil {
			return nil, false
		}
		return r.arena.Keep(append(r.arena.Take(), r.Conn.TLS.Verified()...)), true
	})
}

// ClientAddr implements variable.Client.
func (r *Request) ClientAddr() netip.Addr { return r.Client }
