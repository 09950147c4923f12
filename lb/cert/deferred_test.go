package cert

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// deferredServer finds certificates by the name the client asks for, in the given pairs.
func deferredServer(t *testing.T, passwordFile string, pairs func(name string) []Pair) (*tls.Config, *Deferred) {
	t.Helper()
	d, err := NewDeferred(nil, passwordFile)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, ServerOptions{Deferred: true})
	return s.WithCertificate(func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return d.Find(hello, pairs(hello.ServerName))
	}).Config(), d
}

func TestDeferredByName(t *testing.T) {
	t.Parallel()
	config, _ := deferredServer(t, "", func(name string) []Pair { return []Pair{testPair(name+".crt", name+"-sec1.key")} })
	_, state, _, err := handshake(t, config, anyServer("ec"))
	if err != nil || state.PeerCertificates[0].Subject.CommonName != "ec.example" {
		t.Errorf("%v", err)
	}
	_, _, serverErr, _ := handshake(t, config, anyServer("none"))
	wantError(t, "missing file", serverErr, `cannot load certificate "testdata/none.crt"`)
}

func TestDeferredWithoutFinder(t *testing.T) {
	t.Parallel()
	_, _, serverErr, _ := handshake(t, newServer(t, ServerOptions{Deferred: true}).Config(), anyServer("ec"))
	wantError(t, "no certificate", serverErr, "no certificates configured")
}

// Of several certificates each client gets the one that it can verify.
func TestDeferredSeveral(t *testing.T) {
	t.Parallel()
	config, _ := deferredServer(t, "", func(string) []Pair {
		return []Pair{testPair("rsa.crt", "rsa-pkcs8.key"), testPair("ec.crt", "ec-sec1.key")}
	})
	for suite, want := range map[uint16]string{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "rsa.example", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ec.example",
	} {
		client := anyServer("a")
		client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{suite}
		_, state, serverErr, err := handshake(t, config, client)
		if err != nil || state.PeerCertificates[0].Subject.CommonName != want {
			t.Errorf("%s: %v, %v", tls.CipherSuiteName(suite), err, serverErr)
		}
	}
}

func TestDeferredInline(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return "data:" + string(text)
	}
	inline := Pair{Certificate: read("ec.crt"), Key: read("ec-sec1.key")}
	config, d := deferredServer(t, "", func(string) []Pair { return []Pair{inline} })
	for range 2 {
		if _, _, serverErr, err := handshake(t, config, anyServer("ec")); err != nil {
			t.Error(err, serverErr)
		}
	}
	if len(d.loaded) != 1 {
		t.Errorf("%d certificates are kept", len(d.loaded))
	}
}

// A certificate is read again when its file has changed, and only then.
func TestDeferredRenewal(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "a")
	first, key := a.issue(leafOptions{name: "first"})
	p := pairFiles(t, key, first)
	d, err := NewDeferred(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	find := func() *tls.Certificate {
		t.Helper()
		c, err := d.Find(&tls.ClientHelloInfo{}, []Pair{p})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := find()
	if find() != was {
		t.Error("an unchanged certificate was read again")
	}
	second, key := a.issue(leafOptions{name: "second"})
	renewed := pairFiles(t, key, second)
	later := time.Now().Add(time.Second)
	for from, to := range map[string]string{renewed.Certificate: p.Certificate, renewed.Key: p.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(to, later, later); err != nil {
			t.Fatal(err)
		}
	}
	if c := find(); c.Leaf.Subject.CommonName != "second" {
		t.Errorf("%s is in use after the renewal", c.Leaf.Subject.CommonName)
	}
	if err := os.Remove(p.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Find(&tls.ClientHelloInfo{}, []Pair{p}); err == nil {
		t.Error("a key that is gone is in use")
	}
}

func TestDeferredIsBounded(t *testing.T) {
	t.Parallel()
	d, err := NewDeferred(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/ec.crt")
	if err != nil {
		t.Fatal(err)
	}
	p := testPair("ec.crt", "ec-sec1.key")
	for range maxLoaded + 10 {
		text = append(text, '\n')
		p.Certificate = "data:" + string(text)
		if _, err := d.Load(p); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.loaded) != maxLoaded {
		t.Errorf("%d certificates are kept", len(d.loaded))
	}
}
