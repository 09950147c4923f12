package lb_test

import (
	"crypto/tls"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// tlsServers is a configuration of an open server and one that asks for
// certificates; more stands in front of them.
func tlsServers(more, verify string) string {
	return `events {} http { ` + more + `
		log_format f '$status $ssl_client_verify'; access_log access.log f;
		ssl_certificate open.crt; ssl_certificate_key open.key;
		server { listen 127.0.0.1:8443 ssl; server_name open; location / { return 200 "$server_name $ssl_server_name $ssl_client_verify"; } }
		server { listen 127.0.0.1:8443 ssl; server_name closed; ssl_verify_client ` + verify + `; ssl_client_certificate client.crt;
			error_page 497 https://closed$request_uri;
			location / { return 200 "$server_name $ssl_client_verify $ssl_client_s_dn"; } }
	}`
}

// tlsBench is a balancer with the certificates that tlsServers names.
type tlsBench struct {
	*lbtest.Balancer
	t               *testing.T
	client, foreign tls.Certificate
}

func startTLS(t *testing.T, conf string) *tlsBench {
	t.Helper()
	b := &tlsBench{Balancer: lbtest.New(t), t: t}
	writePair(t, b.Balancer, "open", ecKey(t))
	for name, to := range map[string]*tls.Certificate{"client": &b.client, "foreign": &b.foreign} {
		certificate, private := selfSigned(t, name, ecKey(t))
		b.Write(name+".crt", certificate)
		var err error
		if *to, err = tls.X509KeyPair([]byte(certificate), []byte(private)); err != nil {
			t.Fatal(err)
		}
	}
	reload(t, b.Balancer, conf)
	return b
}

// dial connects with a name and at most one certificate.
func (b *tlsBench) dial(name string, with *tls.Certificate) *lbtest.Client {
	b.t.Helper()
	cfg := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	if with != nil {
		// In earnest, whether or not the server would know its issuer.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return with, nil }
	}
	c, err := b.Dial(secureFront).TLS(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verify, certificate string
		status              int
		body                string
	}{
		{"on", "", 400, "No required SSL certificate was sent"},
		{"on", "foreign", 400, "The SSL certificate error"},
		{"on", "client", 200, "closed SUCCESS CN=client"},
		{"optional", "", 200, "closed NONE "},
		{"optional", "foreign", 400, "The SSL certificate error"},
		{"optional_no_ca", "foreign", 200, "closed FAILED:"},
		{"off", "", 200, "closed NONE "},
	} {
		t.Run(tt.verify+" "+tt.certificate, func(t *testing.T) {
			t.Parallel()
			b := startTLS(t, tlsServers("", tt.verify))
			with := map[string]*tls.Certificate{"client": &b.client, "foreign": &b.foreign}[tt.certificate]
			c := b.dial("closed", with)
			r := c.Ask("GET / HTTP/1.1\nHost: closed")
			if r.Status != tt.status || !strings.Contains(r.Body, tt.body) {
				t.Errorf("%v", r)
			}
			if closed := r.Field("Connection") == "close"; closed != (tt.status == 400) {
				t.Errorf("Connection: %s", r.Field("Connection"))
			}
			b.Access.AwaitLines(t, 1)
		})
	}
}

// A connection whose handshake led to another server must not reach one that
// asks for certificates.
func TestServerNameAndHost(t *testing.T) {
	t.Parallel()
	b := startTLS(t, tlsServers("", "on"))
	for _, tt := range []struct {
		sni, host string
		with      *tls.Certificate
		status    int
	}{
		{"open", "open", nil, 200},
		{"open", "closed", nil, 421},
		{"open", "closed", &b.client, 421},
		{"unknown", "closed", nil, 421},
		{"closed", "closed", &b.client, 200},
		{"closed", "open", &b.client, 200},
	} {
		if r := b.dial(tt.sni, tt.with).Ask("GET / HTTP/1.1\nHost: " + tt.host); r.Status != tt.status {
			t.Errorf("%s, then %s: %v", tt.sni, tt.host, r)
		}
	}
}

func TestPlainOnTLSPort(t *testing.T) {
	t.Parallel()
	b := startTLS(t, tlsServers("", "on"))
	for _, tt := range []struct{ host, line, want string }{
		{"open", "HTTP/1.1 400 Bad Request", "The plain HTTP request was sent to HTTPS port"},
		{"closed", "HTTP/1.1 302 Moved Temporarily", "<h1>302 "},
	} {
		c := b.Dial(secureFront)
		r := c.Ask("GET /x HTTP/1.1\nHost: " + tt.host)
		if r.Line != tt.line || !strings.Contains(r.Body, tt.want) {
			t.Errorf("%v", r)
		}
		if !c.Ended() {
			t.Error("the connection was reset")
		}
	}
	b.Errors.Await(t, "client sent plain HTTP request to HTTPS port while reading client request headers")
}

// What a client offers, and what its sessions are called.
func TestHelloVariables(t *testing.T) {
	t.Parallel()
	b := startTLS(t, `events {} http { ssl_certificate open.crt; ssl_certificate_key open.key; server { listen 127.0.0.1:8443 ssl;
		return 200 "$ssl_ciphers $ssl_curves $ssl_session_id $ssl_session_reused $ssl_early_data"; } }`)
	cfg := &tls.Config{
		ServerName: "open", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		CurvePreferences: []tls.CurveID{tls.CurveP384, tls.X25519},
	}
	visit := func() string {
		c, err := b.Dial(secureFront).TLS(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c.Ask(get).Body
	}
	const offers = "ECDHE-ECDSA-AES128-GCM-SHA256:0x000a X25519:secp384r1 "
	if got := visit(); got != offers+" . " {
		t.Errorf("new: %q", got)
	}
	if got := visit(); !regexp.MustCompile("^" + offers + "[0-9a-f]{64} r $").MatchString(got) {
		t.Errorf("resumed: %q", got)
	}
	cfg.MaxVersion = 0
	if got := visit(); !regexp.MustCompile(":secp384r1 [0-9a-f]{64} . $").MatchString(got) {
		t.Errorf("TLS 1.3: %q", got)
	}
}

// What is no request and no handshake ends the connection and is logged.
func TestNoHandshake(t *testing.T) {
	t.Parallel()
	b := startTLS(t, tlsServers("", "off"))
	c := b.Dial(secureFront)
	c.Send("\x16\x03\x01\x00\x05hello")
	c.Rest()
	b.Errors.Await(t, "SSL_do_handshake() failed (")
	b.Dial(secureFront).Close()
	b.Errors.Await(t, "while SSL handshaking")
}

// Connections of a server that moved in its file live on; when the rules about
// their clients change they end at once.
func TestReloadOfClientRules(t *testing.T) {
	t.Parallel()
	b := startTLS(t, tlsServers("", "on"))
	c, open := b.dial("closed", &b.client), b.dial("open", nil)
	ask := "GET / HTTP/1.1\nHost: closed"
	for i := range 3 {
		if r := c.Ask(ask); r.Status != 200 || !strings.HasPrefix(r.Body, "closed SUCCESS") {
			t.Fatalf("reload %d: %v", i, r)
		}
		if r := open.Ask(get); r.Status != 200 {
			t.Fatalf("reload %d: %v", i, r)
		}
		await(t, "the old generation's end", reload(t, b.Balancer, tlsServers(strings.Repeat("\n", i+1), "on")))
	}
	reload(t, b.Balancer, tlsServers("", "optional"))
	if !c.Ended() {
		t.Error("the connection was reset")
	}
	if r := open.Ask(get); r.Status != 200 {
		t.Error(r)
	}
}

// Many requests on TLS connections, in one record and many, inside and aside.
func TestPipelinedTLS(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := startTLS(t, strings.ReplaceAll(tlsServers("", "off"), `return 200 "$server_name $ssl_server_name $ssl_client_verify"`, "proxy_pass http://"+be.Addr()))
	c := b.dial("open", nil)
	body := strings.Repeat("x", 40000)
	all := ""
	for i := range 5 {
		all += fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: open\r\n\r\nPOST /%d HTTP/1.1\r\nHost: open\r\nContent-Length: %d\r\n\r\n%s", i, i, len(body), body)
	}
	go c.Write([]byte(all))
	for i := range 5 {
		if r := c.Reply(); !strings.HasPrefix(r.Body, fmt.Sprintf("GET /%d ", i)) {
			t.Fatal(r)
		}
		if r := c.Reply(); !strings.HasPrefix(r.Body, fmt.Sprintf("POST /%d ", i)) || !strings.HasSuffix(r.Body, body) {
			t.Fatalf("%.200s", r)
		}
	}
}
