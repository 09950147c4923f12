package proxy_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestUpstreamTLS: the proxy_ssl_* and grpc_ssl_* directives towards a peer
// that shows a certificate for peer.example.
func TestUpstreamTLS(t *testing.T) {
	t.Parallel()
	own, other := newPair(t, "peer.example"), newPair(t, "client.example")
	for _, c := range []struct {
		name, conf string
		status     string
		seen       string // SNI and client's certificate at the peer
		log        string
		client     bool // the peer insists on a certificate
	}{
		{name: "nothing is verified or sent", status: "200 OK", seen: "|"},
		{name: "server name", conf: "proxy_ssl_server_name on; proxy_ssl_name peer.example;", status: "200 OK", seen: "peer.example|"},
		{name: "server name of variables", conf: "proxy_ssl_server_name on; proxy_ssl_name $arg_n.example;", status: "200 OK", seen: "peer.example|"},
		{name: "an address is not sent", conf: "proxy_ssl_server_name on;", status: "200 OK", seen: "|"},
		{name: "verified", conf: "proxy_ssl_verify on; proxy_ssl_trusted_certificate OWN; proxy_ssl_name peer.example;", status: "200 OK", seen: "|"},
		{name: "verified, name of variables", conf: "proxy_ssl_verify on; proxy_ssl_trusted_certificate OWN; proxy_ssl_name $arg_n.example;", status: "200 OK", seen: "|"},
		{
			name: "wrong name", conf: "proxy_ssl_verify on; proxy_ssl_trusted_certificate OWN; proxy_ssl_name other.example;",
			status: "502 Bad Gateway", log: `upstream SSL certificate does not match "other.example" while SSL handshaking to upstream`,
		},
		{
			name: "untrusted", conf: "proxy_ssl_verify on; proxy_ssl_trusted_certificate OTHER; proxy_ssl_name peer.example;",
			status: "502 Bad Gateway", log: "upstream SSL certificate verify error: (18:self-signed certificate) while SSL handshaking to upstream",
		},
		{name: "client's certificate", conf: "proxy_ssl_certificate OTHER; proxy_ssl_certificate_key OTHERKEY;", status: "200 OK", seen: "|client.example", client: true},
		{name: "no client's certificate", status: "502 Bad Gateway", log: "upstream", client: true},
		{name: "protocol", conf: "proxy_ssl_protocols TLSv1.1;", status: "502 Bad Gateway", log: "SSL_do_handshake() failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan string, 4)
			conf := &tls.Config{Certificates: []tls.Certificate{own.tls}}
			if c.client {
				conf.ClientAuth, conf.ClientCAs = tls.RequireAndVerifyClientCert, other.pool
			}
			directives := strings.NewReplacer("OTHERKEY", other.key, "OTHER", other.cert, "OWN", own.cert).Replace(c.conf)
			p := newTLSPeer(t, conf, func(cl *wireClient) {
				if state, whole := handshaken(cl.Conn); whole {
					seen <- seenOf(&state)
					cl.message()
					cl.send(ok)
				}
			})
			multiplexed := newTLSH2Peer(t, conf, func(w http.ResponseWriter, r *http.Request) { seen <- seenOf(r.TLS) })
			for _, pass := range []string{
				"proxy_pass https://" + p.String() + "; " + directives,
				"grpc_pass grpcs://" + multiplexed.String() + "; " + strings.ReplaceAll(directives, "proxy_ssl_", "grpc_ssl_"),
			} {
				f := start(t, "server { listen LISTEN; location / { "+pass+" } }")
				if s := status(f.get("/?n=peer")); s != c.status {
					t.Errorf("%s: %s, want %s\n%s", pass, s, c.status, f.log)
				}
				if c.log != "" {
					f.log.await(t, c.log)
				} else if got := <-seen; got != c.seen {
					t.Errorf("%s: the peer saw %q, want %q", pass, got, c.seen)
				}
			}
		})
	}
}

// seenOf tells the name that a peer was asked for, and the client's.
func seenOf(state *tls.ConnectionState) string {
	name := ""
	if len(state.PeerCertificates) > 0 {
		name = state.PeerCertificates[0].Subject.CommonName
	}
	return state.ServerName + "|" + name
}

func handshaken(c net.Conn) (tls.ConnectionState, bool) {
	secure := c.(*tls.Conn)
	err := secure.Handshake()
	return secure.ConnectionState(), err == nil
}

// TestUpstreamTLSReuse: connections stay open, and sessions are resumed
// unless proxy_ssl_session_reuse is off.
func TestUpstreamTLSReuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conf, reply string
		dialed            int32
		resumed           bool
	}{
		{"kept open", "", ok, 1, false},
		{"resumed", "", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 2, true},
		{"not resumed", "proxy_ssl_session_reuse off;", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resumed := make(chan bool, 2)
			p := newTLSPeer(t, &tls.Config{Certificates: []tls.Certificate{newPair(t, "p").tls}}, func(cl *wireClient) {
				state, _ := handshaken(cl.Conn)
				resumed <- state.DidResume
				for head, _ := cl.message(); head != ""; head, _ = cl.message() {
					cl.send(c.reply)
					if closes(c.reply) {
						return
					}
				}
			})
			f := start(t, "server { listen LISTEN; location / { proxy_pass https://"+p.String()+"; "+c.conf+" } }")
			for range 2 {
				if s := status(f.get("/")); s != "200 OK" {
					t.Fatalf("%s\n%s", s, f.log)
				}
			}
			if n := p.dialed.Load(); n != c.dialed {
				t.Errorf("%d connections, want %d", n, c.dialed)
			}
			if <-resumed; c.dialed == 2 {
				if got := <-resumed; got != c.resumed {
					t.Errorf("resumed: %v", got)
				}
			}
		})
	}
}
