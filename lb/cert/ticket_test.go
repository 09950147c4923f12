package cert

import (
	"bytes"
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"
)

// resume makes two connections of one client, to the first and then to the second configuration, and says whether the second
// resumed the session of the first.
func resume(t *testing.T, version uint16, first, second *tls.Config) bool {
	t.Helper()
	client := anyServer("ec.example")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.MaxVersion = version
	var state tls.ConnectionState
	for _, server := range []*tls.Config{first, second} {
		var err error
		if state, _, err, _ = handshake(t, server, client); err != nil {
			t.Fatal(err)
		}
	}
	return state.DidResume
}

func TestResumption(t *testing.T) {
	t.Parallel()
	keys, others := NewTicketKeys(), NewTicketKeys()
	server := func(k *TicketKeys, change func(*ServerOptions)) *tls.Config {
		o := ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, TicketKeys: k}
		if change != nil {
			change(&o)
		}
		s := newServer(t, o)
		return Front(func(*tls.ClientHelloInfo) *Server { return s })
	}
	none := func(o *ServerOptions) { o.NoTickets = true }
	short := func(o *ServerOptions) { o.SessionTimeout = -1 } // every session is too old
	tests := []struct {
		name          string
		first, second *tls.Config
		want          bool
	}{
		{"across generations and servers", server(keys, nil), server(keys, nil), true},
		{"other keys", server(keys, nil), server(others, nil), false},
		{"tickets off", server(keys, none), server(keys, none), false},
		{"tickets turned off", server(keys, nil), server(keys, none), false},
		{"timeout", server(keys, nil), server(keys, short), false},
		{"no keys", server(nil, nil), server(nil, nil), false},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if got := resume(t, version, tt.first, tt.second); got != tt.want {
				t.Errorf("%s in %s: resumed %v, want %v", tt.name, ProtocolName(version), got, tt.want)
			}
		}
	}
}

func TestResumedClientIsVerifiedAgain(t *testing.T) {
	t.Parallel()
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	c, key := one.issue(leafOptions{name: "client"})
	keys := NewTicketKeys()
	server := func(a *authority) *Server {
		return newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, TicketKeys: keys,
			ClientVerify: VerifyOn, ClientCA: file(t, a.cert)})
	}
	client := anyServer("ec.example")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.Certificates = tlsCertificate(key, c)
	trusting, distrusting := server(one), server(two)
	state, _, err, _ := handshake(t, trusting.Config(), client)
	if err != nil || trusting.Verify(&state).String() != "SUCCESS" {
		t.Fatal(trusting.Verify(&state), err)
	}
	state, _, err, _ = handshake(t, distrusting.Config(), client)
	if err != nil || distrusting.Verify(&state).Status != StatusCertError {
		t.Errorf("a session brought to a server of another authority (resumed %v): %v, %v", state.DidResume, distrusting.Verify(&state), err)
	}
	state, _, err, _ = handshake(t, trusting.Config(), client)
	if err != nil || !state.DidResume || trusting.Verify(&state).String() != "SUCCESS" {
		t.Errorf("resumed %v: %v, %v", state.DidResume, trusting.Verify(&state), err)
	}
}

func TestTicketKeyFiles(t *testing.T) {
	t.Parallel()
	a, b := writeFile(t, bytes.Repeat([]byte{1}, 48)), writeFile(t, bytes.Repeat([]byte{2}, 80))
	load := func(files ...string) *tls.Config {
		k, err := LoadTicketKeys(files)
		if err != nil {
			t.Fatal(err)
		}
		return newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, TicketKeys: k}).Config()
	}
	tests := []struct {
		name          string
		first, second *tls.Config
		want          bool
	}{
		{"same file on two nodes", load(a), load(a), true},
		{"the second file opens", load(a), load(b, a), true},
		{"the first file seals", load(b, a), load(b), true},
		{"the second file does not seal", load(b, a), load(a), false},
	}
	for _, tt := range tests {
		if got := resume(t, tls.VersionTLS13, tt.first, tt.second); got != tt.want {
			t.Errorf("%s: resumed %v", tt.name, got)
		}
	}
	short := writeFile(t, make([]byte, 47))
	_, err := LoadTicketKeys([]string{a, short})
	wantError(t, "short", err, `"`+short+`" must be 48 or 80 bytes`)
	_, err = LoadTicketKeys([]string{"testdata/none"})
	wantError(t, "missing", err, `open() "testdata/none" failed (2: No such file or directory)`)
	_, err = LoadTicketKeys(nil)
	wantError(t, "no files", err, "no session ticket key files")
}

func TestTicketKeysRotate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := NewTicketKeys()
		first := k.keys[0]
		var config tls.Config
		k.install(&config, 48*time.Hour)
		wrap := func() []byte {
			ticket, err := config.WrapSession(tls.ConnectionState{}, &tls.SessionState{})
			if err != nil {
				t.Fatal(err)
			}
			return ticket
		}
		wrap()
		for n, want := range []int{2, 3, 3} {
			<-time.After(rotatePeriod)
			wrap()
			wrap() // the period has only just begun
			if len(k.keys) != want {
				t.Errorf("%d keys after %d periods, want %d", len(k.keys), n+1, want)
			}
		}
		for _, key := range k.keys {
			if key == first {
				t.Error("the first key is still in use")
			}
		}
		k.Set([][32]byte{{1}})
		<-time.After(2 * rotatePeriod)
		wrap()
		if len(k.keys) != 1 || k.keys[0] != [32]byte{1} {
			t.Error("given keys were changed")
		}
	})
}
