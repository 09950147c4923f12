package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

func TestMay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// The directories above belong to whoever runs the test, with modes that
	// differ from machine to machine: open those that are ours.
	for d := dir; strings.Contains(d, "TestMay"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := os.Getuid(), os.Getgid()
	owner := &account{uid: uid, gid: gid, groups: []int{gid}}
	member := &account{uid: uid + 1, gid: gid, groups: []int{gid}}
	other := &account{uid: uid + 1, gid: gid + 1, groups: []int{gid + 1}}
	tests := []struct {
		file, dir os.FileMode
		write     bool
		a         *account
		want      bool
	}{
		{0o600, 0o755, false, owner, true},
		{0o600, 0o755, false, member, false},
		{0o640, 0o755, false, member, true},
		{0o640, 0o755, false, other, false},
		{0o644, 0o755, false, other, true},
		{0o644, 0o700, false, other, false},
		{0o644, 0o750, false, member, true},
		{0o604, 0o755, false, member, false}, // the group's digit counts for a member
		{0o600, 0o755, true, other, true},    // the start gives it to the account
		{0o600, 0o700, true, other, false},
		{0, 0o755, false, other, true}, // 0: missing
		{0, 0o700, false, other, false},
	}
	for i, tt := range tests {
		sub := filepath.Join(dir, string(rune('a'+i)))
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(sub, "file")
		if tt.file != 0 {
			if err := os.WriteFile(path, nil, tt.file); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(sub, tt.dir); err != nil {
			t.Fatal(err)
		}
		want := tt.want || tt.a.uid == 0
		if got := tt.a.may(fileUse{path: path, write: tt.write}); got != want {
			t.Errorf("case %d: %t, want %t", i, got, want)
		}
	}
}

func TestFileUses(t *testing.T) {
	t.Parallel()
	log := config.ErrorLog{Path: "/l/error.log"}
	inner := &config.Location{}
	inner.AccessLogs = []config.AccessLog{{Path: config.Text{Value: "/l/inner.log"}}}
	inner.ProxySettings.TLS.TrustedCertificate = "/c/ca.pem"
	inner.GRPCSettings.TLS.TrustedCertificate = "/c/grpc.pem"
	server := &config.Server{Locations: []*config.Location{{Locations: []*config.Location{inner}}}}
	server.TLS = config.TLS{
		Certificates:    []config.Text{{Value: "/c/a.pem"}, {Value: "/c/$ssl_server_name.pem"}, {Value: "data:x"}},
		CertificateKeys: []config.Text{{Value: "/c/a.key"}, {Value: "engine:pkcs11:id"}, {Value: "/c/a.key"}},
		PasswordFile:    "/c/pass", CRL: "/c/crl.pem", SessionTicketKeys: []string{"/c/ticket"},
	}
	server.ErrorLogs = []config.ErrorLog{log, {Stderr: true}}
	cfg := &config.Config{HTTP: &config.HTTP{Servers: []*config.Server{server}, StickyKeys: []config.StickyKey{{File: "/c/sticky"}}}}
	cfg.ErrorLogs = []config.ErrorLog{log}
	var got []string
	for _, u := range fileUses(cfg) {
		word := "r:"
		if u.write {
			word = "w:"
		}
		got = append(got, word+u.path)
	}
	want := "w:/l/error.log w:/l/inner.log r:/c/ca.pem r:/c/grpc.pem r:/c/a.pem r:/c/a.key r:/c/ticket r:/c/pass r:/c/crl.pem r:/c/sticky"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestCheckUserWithoutRights(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	n, err := New(h.options())
	if err != nil {
		t.Fatal(err)
	}
	h.cfg.User, h.cfg.UserPos = "nobody", config.Pos{File: "f", Line: 2}
	a, err := checkUser(&h.cfg, 1000, n.journal)
	if a != nil || err != nil {
		t.Errorf("%v, %v", a, err)
	}
	h.stderr.wait(t, `the "user" directive makes sense only if the master process runs with super-user privileges, ignored in f:2`)
}

func TestCheckUserWarnsOfWhatItCannotRead(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	n, err := New(h.options())
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(h.dir, "key.pem")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.cfg.User, h.cfg.Group = "nobody", "nobody"
	server := &config.Server{}
	server.TLS.CertificateKeys = []config.Text{{Value: key, Pos: config.Pos{File: "f", Line: 7}}}
	h.cfg.HTTP = &config.HTTP{Servers: []*config.Server{server}}
	if a, err := checkUser(&h.cfg, 0, n.journal); err != nil || a == nil || a.name != "nobody" {
		t.Errorf("%v, %v", a, err)
	}
	h.stderr.wait(t, `user "nobody" cannot read "`+key+`" in f:7`)
}
