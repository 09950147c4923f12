package cert

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rotatePeriod is how often self-made ticket keys change, keptKeys how many of them open tickets. A ticket is thus good for
	// at least a day, if the session timeout allows.
	rotatePeriod = 12 * time.Hour
	keptKeys     = 3

	// stampTag begins the field of a session that tells when it was made.
	stampTag = "weir session made at "
)

// TicketKeys seal and open TLS session tickets. Sharing one value between virtual servers, and keeping it over reloads, lets
// clients resume their sessions everywhere. It is safe for use by many goroutines.
type TicketKeys struct {
	config tls.Config // never used for a connection: it holds the keys

	mu      sync.Mutex
	keys    [][32]byte   // the first seals
	changed atomic.Int64 // when self-made keys were last changed, Unix seconds; 0: the keys were given
}

// NewTicketKeys returns random keys that renew themselves while in use.
func NewTicketKeys() *TicketKeys {
	t := &TicketKeys{}
	t.rotate(time.Now())
	return t
}

// LoadTicketKeys reads ssl_session_ticket_key files of 48 or 80 random bytes. The first seals new tickets, all open them. The 32
// bytes used are derived from the whole file, so tickets are not interchangeable with nginx's.
func LoadTicketKeys(files []string) (*TicketKeys, error) {
	var keys [][32]byte
	for _, file := range files {
		secret, err := os.ReadFile(file)
		if err != nil {
			return nil, openFailed(file, err)
		}
		if len(secret) != 48 && len(secret) != 80 {
			return nil, fmt.Errorf("%q must be 48 or 80 bytes", file)
		}
		key, err := hkdf.Key(sha256.New, secret, nil, "weir tls session ticket", 32)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", file, err)
		}
		keys = append(keys, [32]byte(key))
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no session ticket key files")
	}
	t := &TicketKeys{}
	t.Set(keys)
	return t, nil
}

// Set replaces the keys by given ones and ends their renewing by themselves. The first seals, all open. Without any, self-made keys
// follow those that were given, which open for a while.
func (t *TicketKeys) Set(keys [][32]byte) {
	if len(keys) == 0 {
		t.renewAlone()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Equal(t.keys, keys) && t.changed.Load() == 0 {
		return
	}
	t.keys = slices.Clone(keys)
	t.changed.Store(0)
	t.config.SetSessionTicketKeys(t.keys)
}

// renewAlone lets keys that were given be followed by self-made ones.
func (t *TicketKeys) renewAlone() {
	if t.changed.CompareAndSwap(0, 1) { // made long ago
		t.rotate(time.Now())
	}
}

// rotate puts a new random key in front if the time has come.
func (t *TicketKeys) rotate(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.changed.Load()
	if len(t.keys) > 0 && (last == 0 || now.Unix()-last < int64(rotatePeriod/time.Second)) {
		return // given from outside, or another goroutine was faster
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	t.keys = append([][32]byte{key}, t.keys[:min(len(t.keys), keptKeys-1)]...)
	t.config.SetSessionTicketKeys(t.keys)
	t.changed.Store(now.Unix())
}

// install makes a server's configuration use the keys, for sessions that last for at most timeout.
func (t *TicketKeys) install(config *tls.Config, timeout time.Duration) {
	config.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		now := time.Now()
		if last := t.changed.Load(); last != 0 && now.Unix()-last >= int64(rotatePeriod/time.Second) {
			t.rotate(now)
		}
		session.Extra = append(session.Extra, binary.BigEndian.AppendUint64([]byte(stampTag), uint64(now.Unix())))
		return t.config.EncryptTicket(state, session)
	}
	config.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := t.config.DecryptTicket(ticket, state)
		if session == nil || err != nil {
			return nil, err
		}
		made, ok := madeAt(session)
		if age := time.Since(made); !ok || age < -time.Minute || age > timeout {
			return nil, nil // a full handshake follows
		}
		return session, nil
	}
}

// madeAt returns when a session was made, which crypto/tls knows but does not tell.
func madeAt(session *tls.SessionState) (time.Time, bool) {
	for _, field := range session.Extra {
		if len(field) == len(stampTag)+8 && string(field[:len(stampTag)]) == stampTag {
			return time.Unix(int64(binary.BigEndian.Uint64(field[len(stampTag):])), 0), true
		}
	}
	return time.Time{}, false
}
