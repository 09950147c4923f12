package cert

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	tests := []struct{ certificate, key, passwords, failure string }{
		{"rsa.crt", "rsa-pkcs1.key", "", ""},
		{"rsa.crt", "rsa-pkcs8.key", "", ""},
		{"rsa-trusted.crt", "rsa-pkcs8.key", "", ""},
		{"ec.crt", "ec-sec1.key", "", ""},
		{"ec.crt", "ec-pkcs8.key", "", ""},
		{"ec-both.pem", "ec-both.pem", "", ""},
		{"ed25519.crt", "ed25519.key", "", ""},
		{"rsa.crt", "rsa-traditional-des3.key", "passwords", ""},
		{"rsa.crt", "rsa-traditional-aes256.key", "passwords", ""},
		{"ec.crt", "ec-traditional-aes128.key", "passwords", ""},
		{"rsa.crt", "rsa-pbes2-des3.key", "passwords", ""},
		{"rsa.crt", "rsa-pbes2-aes128.key", "passwords", ""},
		{"rsa.crt", "rsa-pbes2-aes256-sha1.key", "passwords", ""},
		{"rsa.crt", "rsa-scrypt.key", "passwords", ""},
		{"rsa.crt", "rsa-pkcs1.key", "passwords", ""},
		{"no.crt", "rsa-pkcs1.key", "", `cannot load certificate "testdata/no.crt": BIO_new_file() failed (SSL: error:system library::No such file or directory`},
		{"rsa.crt", "no.key", "", `cannot load certificate key "testdata/no.key": BIO_new_file() failed (SSL: error:system library::No such file or directory`},
		{"garbage", "rsa-pkcs1.key", "", `cannot load certificate "testdata/garbage": PEM_read_bio_X509_AUX() failed (SSL: error:PEM routines::no start line`},
		{"broken.crt", "rsa-pkcs1.key", "", `cannot load certificate "testdata/broken.crt": PEM_read_bio_X509() failed`},
		{"rsa.crt", "garbage", "", `cannot load certificate key "testdata/garbage": PEM_read_bio_PrivateKey() failed (SSL: error:DECODER routines::unsupported`},
		{"rsa.crt", "ec-sec1.key", "", `SSL_CTX_use_PrivateKey("testdata/ec-sec1.key") failed (SSL: error:x509 certificate routines::key type mismatch)`},
		{"names.crt", "ec-sec1.key", "", ""},
		{"rsa.crt", "rsa-traditional-des3.key", "", "the key is encrypted and no ssl_password_file is given"},
		{"rsa.crt", "rsa-pbes2-aes128.key", "", "the key is encrypted and no ssl_password_file is given"},
		{"rsa.crt", "rsa-traditional-des3.key", "passwords-wrong", "bad decrypt"},
		{"rsa.crt", "rsa-pbes2-aes128.key", "passwords-wrong", "bad decrypt"},
		{"rsa.crt", "rsa-scrypt.key", "passwords-wrong", "bad decrypt"},
	}
	for _, tt := range tests {
		var passwords [][]byte
		if tt.passwords != "" {
			var err error
			if passwords, err = ReadPasswords(filepath.Join("testdata", tt.passwords)); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Load(testPair(tt.certificate, tt.key), passwords)
		wantError(t, tt.certificate+" "+tt.key, err, tt.failure)
		if err == nil && (c.Leaf == nil || len(c.Certificate) != 1 || c.PrivateKey == nil) {
			t.Errorf("%s %s: incomplete %+v", tt.certificate, tt.key, c)
		}
	}
}

func TestLoadMismatch(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ca")
	c1, _ := a.issue(leafOptions{name: "1"})
	_, key2 := a.issue(leafOptions{name: "2"})
	_, err := Load(pairFiles(t, key2, c1), nil)
	wantError(t, "foreign key", err, "SSL_CTX_use_PrivateKey(", "key values mismatch")
}

func TestLoadInline(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/ec-both.pem")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Pair{"data:" + string(text), "data:" + string(text)}, nil); err != nil {
		t.Error(err)
	}
	_, err = Load(Pair{"data:" + string(text), "data:secret words"}, nil)
	wantError(t, "inline key", err, `cannot load certificate key "data:"`)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the key is in the message: %v", err)
	}
}

func TestReadPasswords(t *testing.T) {
	t.Parallel()
	got, err := ReadPasswords("testdata/passwords")
	if err != nil || len(got) != 3 || string(got[1]) != "secret" || string(got[2]) != "last" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = ReadPasswords("testdata/none")
	wantError(t, "missing", err, `open() "testdata/none" failed (2: No such file or directory)`)
	_, err = ReadPasswords(writeFile(t, []byte(strings.Repeat("x", 5000))))
	wantError(t, "long line", err, "too long line")

	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go os.WriteFile(fifo, []byte("secret\n"), 0)
	if got, err := ReadPasswords(fifo); err != nil || len(got) != 1 || string(got[0]) != "secret" {
		t.Errorf("named pipe: %q, %v", got, err)
	}
}

func TestFilesReadOnce(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go os.WriteFile(fifo, []byte("secret\n"), 0)
	var files Files
	first, err := files.Load(testPair("rsa.crt", "rsa-pbes2-aes128.key"), fifo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Load(testPair("ec.crt", "ec-traditional-aes128.key"), fifo); err != nil { // nobody writes again
		t.Error(err)
	}
	again, err := files.Load(testPair("rsa.crt", "rsa-pbes2-aes128.key"), fifo)
	if err != nil || again != first {
		t.Errorf("a second copy of the certificate, %v", err)
	}
	if _, err := files.Load(testPair("rsa.crt", "rsa-pbes2-aes128.key"), ""); err == nil {
		t.Error("an encrypted key was given without its password file")
	}
}

// FuzzKey checks that no key file, however broken, does worse than an error.
func FuzzKey(f *testing.F) {
	names, err := filepath.Glob("testdata/*.key")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		if strings.Contains(name, "pbes2") || strings.Contains(name, "scrypt") {
			continue // deriving their keys takes as long as the file says; TestLoad covers them
		}
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := parseKey(text, [][]byte{[]byte("secret")})
		if (key == nil) == (err == nil) {
			t.Errorf("key %v, error %v", key, err)
		}
		if _, err := parseCertificates(text); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
