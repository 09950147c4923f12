package lb_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// selfSigned makes a certificate with its key, both as PEM text.
func selfSigned(t *testing.T, name string, key crypto.Signer) (certificate, private string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", secret)
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// writePair puts NAME.crt and NAME.key where a configuration finds them.
func writePair(t *testing.T, b *lbtest.Balancer, name string, key crypto.Signer) {
	t.Helper()
	certificate, private := selfSigned(t, name, key)
	b.Write(name+".crt", certificate)
	b.Write(name+".key", private)
}

// visit shakes hands, asks for / and returns what the connection was like and
// the reply's body.
func visit(t *testing.T, addr string, cfg *tls.Config) (tls.ConnectionState, string, error) {
	t.Helper()
	cfg.InsecureSkipVerify = true // whose certificate it is is looked at by the test
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: lbtest.Patience}, Config: cfg}
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return tls.ConnectionState{}, "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(lbtest.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return tls.ConnectionState{}, "", err
	}
	text, err := io.ReadAll(bufio.NewReader(conn))
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	return conn.(*tls.Conn).ConnectionState(), body, err
}

func commonName(s tls.ConnectionState) string {
	if len(s.PeerCertificates) == 0 {
		return ""
	}
	return s.PeerCertificates[0].Subject.CommonName
}

func load(t *testing.T, b *lbtest.Balancer, conf string) {
	t.Helper()
	if _, err := b.Reload(conf); err != nil {
		t.Fatal(err)
	}
}

// secure is a configuration of one server for TLS.
func secure(body string) string {
	return "events {} http { server { listen 127.0.0.1:8443 ssl; " + body + " location / { return 200 $ssl_server_name; } } }"
}

const secureFront = "127.0.0.1:8443"

// Of several certificates each client gets the one that it can verify.
func TestSeveralCertificates(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, b, "rsa", key)
	writePair(t, b, "ec", ecKey(t))
	load(t, b, secure("ssl_certificate rsa.crt; ssl_certificate_key rsa.key; ssl_certificate ec.crt; ssl_certificate_key ec.key;"))
	for _, c := range []struct {
		name, want string
		client     *tls.Config
	}{
		{"TLS 1.3", "ec", &tls.Config{}},
		{"RSA only", "rsa", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}},
		{"ECDSA only", "ec", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}},
	} {
		if state, _, err := visit(t, b.Addr(secureFront), c.client); commonName(state) != c.want {
			t.Errorf("%s: got the certificate of %q, %v", c.name, commonName(state), err)
		}
	}
}

func TestCertificateByName(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writePair(t, b, "one", ecKey(t))
	writePair(t, b, "two", ecKey(t))
	load(t, b, secure("ssl_certificate $ssl_server_name.crt; ssl_certificate_key "+b.Dir+"/$ssl_server_name.key;"))
	ask := func(name string) string {
		t.Helper()
		state, body, err := visit(t, b.Addr(secureFront), &tls.Config{ServerName: name})
		if err != nil {
			return err.Error()
		}
		if body != name {
			t.Errorf("%s: the request knows the name %q", name, body)
		}
		return commonName(state)
	}
	for _, name := range []string{"one", "two", "one"} {
		if got := ask(name); got != name {
			t.Errorf("%s: got the certificate of %q", name, got)
		}
	}
	if got := ask("three"); !strings.Contains(got, "internal error") {
		t.Errorf("without a certificate: %q", got)
	}
	b.Errors.Await(t, `[error] 1#1: *4 cannot load certificate "`+b.Dir+`/three.crt": BIO_new_file() failed (SSL: error:system library::No such file or directory`)
	// A new one is used without a reload.
	writePair(t, b, "three", ecKey(t))
	if got := ask("three"); got != "three" {
		t.Errorf("three: got the certificate of %q", got)
	}
}

func TestCertificateInline(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	certificate, private := selfSigned(t, "inline", ecKey(t))
	load(t, b, `events {} http {
		map $ssl_server_name $certificate { inline "`+certificate+`"; }
		map $ssl_server_name $key { inline "`+private+`"; }
		server { listen 127.0.0.1:8443 ssl; ssl_certificate data:$certificate; ssl_certificate_key data:$key; return 200 ok; }
	}`)
	for range 2 {
		if state, body, err := visit(t, b.Addr(secureFront), &tls.Config{ServerName: "inline"}); commonName(state) != "inline" || body != "ok" {
			t.Errorf("%q, %q, %v", commonName(state), body, err)
		}
	}
	if state, _, err := visit(t, b.Addr(secureFront), &tls.Config{ServerName: "other"}); err == nil {
		t.Errorf("a name without a certificate got that of %q", commonName(state))
	}
	if strings.Contains(b.Errors.String(), "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
}

// Before the first request most variables have no value; none of them harms.
func TestCertificateOfAnyVariable(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	variables := strings.Fields(`args arg_a body_bytes_sent bytes_sent connection connection_requests connection_time
		content_length content_type cookie_a document_root document_uri host hostname http_a https is_args limit_rate msec pid
		pipe proxy_host proxy_port proxy_add_x_forwarded_for proxy_protocol_addr query_string realpath_root remote_addr
		remote_port remote_user request request_body request_body_file request_completion request_filename request_id
		request_length request_method request_port request_time request_uri scheme sent_http_a sent_trailer_a server_addr
		server_name server_port server_protocol ssl_cipher ssl_client_s_dn ssl_client_verify ssl_protocol ssl_session_id
		status time_iso8601 time_local upstream_addr upstream_http_a upstream_response_time uri 1`)
	conf := "events {} http { ssl_certificate_key a.key;"
	for _, name := range variables {
		conf += " server { listen 127.0.0.1:8443 ssl; server_name " + strings.ReplaceAll(name, "_", "-") + "; ssl_certificate /none/$" + name + "; }"
	}
	load(t, b, conf+" }")
	for _, name := range variables {
		_, _, err := visit(t, b.Addr(secureFront), &tls.Config{ServerName: strings.ReplaceAll(name, "_", "-")})
		if err == nil || !strings.Contains(err.Error(), "internal error") {
			t.Errorf("$%s: %v", name, err)
		}
	}
	b.Errors.Await(t, `cannot load certificate "/none/127.0.0.1": BIO_new_file() failed`)
}

func TestCertificateOfUnknownVariable(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	_, err := b.Reload(secure("ssl_certificate $nothing.crt; ssl_certificate_key x.key;"))
	if err == nil || !strings.Contains(err.Error(), `unknown "nothing" variable in `+b.Dir+`/weir.conf:1`) {
		t.Error(err)
	}
}

// resumes tells whether a client that has been at one address is known at
// another.
func resumes(t *testing.T, first, second string) bool {
	t.Helper()
	cfg := &tls.Config{ServerName: "a", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if _, _, err := visit(t, first, cfg); err != nil {
		t.Fatal(err)
	}
	state, _, err := visit(t, second, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return state.DidResume
}

// Tickets are good wherever their key is.
func TestTicketKeys(t *testing.T) {
	t.Parallel()
	start := func(body string) *lbtest.Balancer {
		b := lbtest.New(t)
		writePair(t, b, "a", ecKey(t))
		b.Write("one.key", strings.Repeat("1", 48))
		b.Write("two.key", strings.Repeat("2", 80))
		load(t, b, secure("ssl_certificate a.crt; ssl_certificate_key a.key; "+body))
		return b
	}
	const one, two = "ssl_session_ticket_key one.key;", "ssl_session_ticket_key two.key;"
	for _, c := range []struct {
		name, first, second string
		want                bool
	}{
		{"same key", one, one, true},
		{"other key", one, two, false},
		{"key that only opens", one, two + one, true},
		{"first one seals", one + two, two, false},
		{"keys of their own", "", "", false},
		{"tickets off", one, one + "ssl_session_tickets off;", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := start(c.first), start(c.second)
			if got := resumes(t, a.Addr(secureFront), b.Addr(secureFront)); got != c.want {
				t.Errorf("resumed: %v", got)
			}
		})
	}
	b := start("")
	if a := b.Addr(secureFront); !resumes(t, a, a) {
		t.Error("the keys of its own open nothing")
	}
	b.Write("short.key", "1")
	_, err := b.Reload(secure("ssl_certificate a.crt; ssl_certificate_key a.key; ssl_session_ticket_key short.key;"))
	if err == nil || !strings.Contains(err.Error(), `/short.key" must be 48 or 80 bytes in `+b.Dir+`/weir.conf:1`) {
		t.Error(err)
	}
}

// Keys of the http block hold for servers without keys of their own.
func TestTicketKeysAreInherited(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writePair(t, b, "a", ecKey(t))
	b.Write("one.key", strings.Repeat("1", 48))
	b.Write("two.key", strings.Repeat("2", 80))
	load(t, b, `events {} http {
		ssl_certificate a.crt; ssl_certificate_key a.key; ssl_session_ticket_key one.key;
		server { listen 127.0.0.1:8443 ssl; return 200 a; }
		server { listen 127.0.0.1:8444 ssl; return 200 b; }
		server { listen 127.0.0.1:8445 ssl; return 200 c; ssl_session_ticket_key two.key; }
	}`)
	if a := b.Addr(secureFront); !resumes(t, a, b.Addr("127.0.0.1:8444")) || resumes(t, a, b.Addr("127.0.0.1:8445")) {
		t.Error("tickets of one.key are not good for exactly the servers that have it")
	}
	// Keys that have been read into another generation still open.
	cfg := &tls.Config{ServerName: "a", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if _, _, err := visit(t, b.Addr(secureFront), cfg); err != nil {
		t.Fatal(err)
	}
	load(t, b, secure("ssl_certificate a.crt; ssl_certificate_key a.key; ssl_session_ticket_key two.key; ssl_session_ticket_key one.key;"))
	if state, _, err := visit(t, b.Addr(secureFront), cfg); err != nil || !state.DidResume {
		t.Errorf("resumed after a change of keys: %v, %v", state.DidResume, err)
	}
}

// A password file may be a pipe, which can be read once only, whatever number
// of servers and locations name it.
func TestPasswordsAreReadOnce(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	pipe := filepath.Join(b.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	passwords, err := os.ReadFile("cert/testdata/passwords")
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, passwords, 0) }()
	here, err := filepath.Abs("cert/testdata")
	if err != nil {
		t.Fatal(err)
	}
	load(t, b, fmt.Sprintf(`events {} http {
		ssl_password_file %[1]s; ssl_certificate %[2]s/rsa.crt; ssl_certificate_key %[2]s/rsa-traditional-des3.key;
		server { listen 127.0.0.1:8443 ssl; server_name a; return 200 a; }
		server { listen 127.0.0.1:8443 ssl; server_name b; return 200 b; }
		server { listen 127.0.0.1:8443 ssl; server_name c; ssl_certificate_key %[2]s/$ssl_server_name-pbes2-des3.key; ssl_certificate %[2]s/rsa.crt; }
		server { listen 127.0.0.1:8080; location / {
			proxy_pass https://127.0.0.1:1; proxy_ssl_password_file %[1]s;
			proxy_ssl_certificate %[2]s/rsa.crt; proxy_ssl_certificate_key %[2]s/rsa-traditional-des3.key;
		} }
	}`, pipe, here))
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if state, _, err := visit(t, b.Addr(secureFront), &tls.Config{ServerName: "b"}); commonName(state) != "rsa.example" {
		t.Errorf("%q, %v", commonName(state), err)
	}
}

func TestIgnoredCiphersAreTold(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writePair(t, b, "a", ecKey(t))
	log := filepath.Join(b.Dir, "notices")
	load(t, b, `error_log `+log+` notice; events {} http {
		ssl_ciphers HIGH:NO-SUCH-CIPHER:!aNULL; ssl_certificate a.crt; ssl_certificate_key a.key;
		server { listen 127.0.0.1:8443 ssl; server_name a; } server { listen 127.0.0.1:8443 ssl; server_name b; }
	}`)
	if n := strings.Count(b.Errors.String(), "left out: NO-SUCH-CIPHER in "+b.Dir+"/weir.conf:2"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
