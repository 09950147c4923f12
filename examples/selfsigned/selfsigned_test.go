package selfsigned_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lb/weir/examples/selfsigned"
)

func TestMake(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind  selfsigned.Kind
		hosts []string
		bad   bool
	}{
		{kind: selfsigned.ECDSA, hosts: []string{"example.com", "127.0.0.1", "::1"}},
		{kind: selfsigned.RSA, hosts: []string{"localhost"}},
		{kind: selfsigned.ECDSA, bad: true},
		{kind: "dsa", hosts: []string{"localhost"}, bad: true},
	}
	for _, c := range cases {
		pair, err := selfsigned.Make(c.kind, c.hosts...)
		if (err != nil) != c.bad {
			t.Errorf("%s %v: error %v", c.kind, c.hosts, err)
		}
		if err != nil {
			continue
		}
		both, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			t.Fatalf("%s: %v", c.kind, err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pair.Certificate)
		for _, host := range c.hosts {
			if _, err := both.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s for %s: %v", c.kind, host, err)
			}
		}
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ssl")
	if selfsigned.Fresh(dir, "a") {
		t.Error("a missing certificate is fresh")
	}
	for _, name := range []string{"a", "b"} {
		pair, err := selfsigned.Make(selfsigned.ECDSA, "localhost")
		if err != nil {
			t.Fatal(err)
		}
		if err := pair.Write(dir, name); err != nil {
			t.Fatal(err)
		}
		if !selfsigned.Fresh(dir, name) {
			t.Errorf("%s was just made, but is not fresh", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "a.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v, want mode 0600", info.Mode(), err)
	}
	if err := os.Rename(filepath.Join(dir, "b.key"), filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	if selfsigned.Fresh(dir, "a") {
		t.Error("a certificate with a foreign key is fresh")
	}
}
