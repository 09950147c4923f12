package upstream

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testKey is a sticky key of a made-up secret.
func testKey(n byte, state KeyState) Key {
	k := Key{State: state}
	for i := range k.Secret {
		k.Secret[i] = n
	}
	k.ID = KeyID(&k.Secret)
	return k
}

func mustKeys(t testing.TB, list ...Key) *Keys {
	t.Helper()
	k, err := NewKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealing is a pool of two servers with sealed ids.
func sealing(t testing.TB, name, cookie string, keys ...Key) (*Pool, *atomic.Pointer[Keys]) {
	t.Helper()
	ring := new(atomic.Pointer[Keys])
	ring.Store(mustKeys(t, keys...))
	return mustPool(t, Config{Name: name, Servers: servers(2), Sticky: Sticky{Kind: StickyCookie, Cookie: cookie, Keys: ring}}, nil), ring
}

// visit is one request that presents a value; it returns where it went and the
// cookie's value.
func visit(t testing.TB, p *Pool, value string, now int64) (peer, cookie string) {
	t.Helper()
	var a PickArgs
	var tie Tie
	a.Now = now * int64(time.Second)
	p.Follow(&a, &tie, []byte(value), now)
	picked, err := p.Pick(&a)
	if err != nil {
		t.Fatal(err)
	}
	p.Release(&a, Outcome{Now: a.Now, Status: 200, HeaderTime: -1})
	return picked.Text, string(p.AppendID(nil, &a, &tie, now))
}

const today = 1_800_000_000

// follows tells whether several requests with a value all go to one peer and
// are given the same value back.
func follows(t testing.TB, p *Pool, value string, now int64) bool {
	t.Helper()
	_, first := visit(t, p, value, now)
	peers := map[string]bool{}
	for range 4 {
		peer, cookie := visit(t, p, value, now)
		peers[peer] = true
		if (cookie == value) != (first == value) {
			t.Errorf("one reply has the cookie %q, another %q", first, cookie)
		}
	}
	return len(peers) == 1
}

// TestSealedIDs tells what becomes of values that clients present.
func TestSealedIDs(t *testing.T) {
	t.Parallel()
	p, _ := sealing(t, "app", "srv", testKey(1, KeyActive), testKey(2, KeyRetiring), testKey(3, KeyNext))
	from := func(name, cookie string, key Key, age int64) string {
		key.State = KeyActive
		other, _ := sealing(t, name, cookie, key)
		_, value := visit(t, other, "", today-age)
		return value
	}
	good := from("app", "srv", testKey(1, KeyActive), 0)
	if len(good) != 76 {
		t.Errorf("a sealed id has %d characters", len(good))
	}
	edit := func(at int, to byte) string {
		raw, _ := base64.RawURLEncoding.DecodeString(good)
		raw[at] ^= to
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	const day = 24 * 3600
	for _, c := range []struct {
		name, value    string
		follows, echos bool
		refused        Refusal // counted if it does not follow
	}{
		{"its own", good, true, true, 0},
		{"eleven hours old", from("app", "srv", testKey(1, KeyActive), 11*3600), true, true, 0},
		{"twelve hours old", from("app", "srv", testKey(1, KeyActive), 12*3600), true, false, 0},
		{"thirty days old", from("app", "srv", testKey(1, KeyActive), 30*day), true, false, 0},
		{"older", from("app", "srv", testKey(1, KeyActive), 30*day+1), false, false, RefusedExpired},
		{"of a retiring key", from("app", "srv", testKey(2, KeyActive), 0), true, false, 0},
		{"of the next key", from("app", "srv", testKey(3, KeyActive), 0), true, true, 0},
		{"of an unknown key", from("app", "srv", testKey(4, KeyActive), 0), false, false, RefusedForeign},
		{"from a clock somewhat ahead", from("app", "srv", testKey(1, KeyActive), -60), true, true, 0},
		{"from a clock far ahead", from("app", "srv", testKey(1, KeyActive), -3600), true, false, 0},
		{"of another upstream", from("api", "srv", testKey(1, KeyActive), 0), false, false, RefusedForged},
		{"of another cookie", from("app", "srv2", testKey(1, KeyActive), 0), false, false, RefusedForged},
		{"names run together otherwise", from("ap", "psrv", testKey(1, KeyActive), 0), false, false, RefusedForged},
		{"with another version", edit(0, 2), false, false, RefusedMalformed},
		{"with another key id", edit(1, 1), false, false, RefusedForeign},
		{"with another nonce", edit(3, 1), false, false, RefusedForged},
		{"with another box", edit(30, 1), false, false, RefusedForged},
		{"with another tag", edit(56, 1), false, false, RefusedForged},
		{"truncated", good[:75], false, false, RefusedMalformed},
		{"too long", good + "A", false, false, RefusedMalformed},
		{"no base64url", strings.Repeat("+", 76), false, false, RefusedMalformed},
		{"nginx's", p.Peers()[0].SID, false, false, RefusedMalformed},
	} {
		before := p.Status(0).Sticky
		if got := follows(t, p, c.value, today); got != c.follows {
			t.Errorf("%s: follows %t", c.name, got)
		}
		if _, cookie := visit(t, p, c.value, today); (cookie == c.value) != c.echos {
			t.Errorf("%s: is given back %q", c.name, cookie)
		}
		after := p.Status(0).Sticky
		for r := range refusals {
			want := uint64(0)
			if !c.follows && r == c.refused {
				want = 6
			}
			if got := after.Refused[r] - before.Refused[r]; got != want {
				t.Errorf("%s: %d refusals as %s, not %d", c.name, got, r, want)
			}
		}
	}
}

// TestSealedIDLivesAsLongAsTheCookie: expires bounds it, and the value is
// renewed often enough for a client that keeps coming.
func TestSealedIDLivesAsLongAsTheCookie(t *testing.T) {
	t.Parallel()
	ring := new(atomic.Pointer[Keys])
	ring.Store(mustKeys(t, testKey(1, KeyActive)))
	p := mustPool(t, Config{Servers: servers(2), Sticky: Sticky{Kind: StickyCookie, Cookie: "srv", Keys: ring, Lifetime: time.Hour}}, nil)
	peer, first := visit(t, p, "", today)
	if _, value := visit(t, p, first, today+59); value != first {
		t.Error("renewed within the first minute")
	}
	if _, value := visit(t, p, first, today+60); value == first {
		t.Error("not renewed after a minute")
	}
	for at, value := int64(today), first; at < today+24*3600; at += 59 * 60 {
		var went string
		if went, value = visit(t, p, value, at); went != peer {
			t.Fatalf("a client that comes every 59 minutes was moved after %d s", at-today)
		}
	}
	if follows(t, p, first, today+3601) {
		t.Error("an id is followed after the cookie's time")
	}
}

// TestRingIsSwapped: ids of the old active key stay good when it retires.
func TestRingIsSwapped(t *testing.T) {
	t.Parallel()
	p, ring := sealing(t, "app", "srv", testKey(1, KeyActive), testKey(2, KeyNext))
	peer, old := visit(t, p, "", today)
	ring.Store(mustKeys(t, testKey(1, KeyRetiring), testKey(2, KeyActive)))
	went, renewed := visit(t, p, old, today+1)
	if went != peer || renewed == old {
		t.Errorf("went to %s with %q, not to %s with a new id", went, renewed, peer)
	}
	ring.Store(mustKeys(t, testKey(2, KeyActive)))
	if went, same := visit(t, p, renewed, today+2); went != peer || same != renewed {
		t.Error("the new id is not followed without the old key")
	}
	if follows(t, p, old, today+3) {
		t.Error("the old id is followed without its key")
	}
}

// TestRebinding: the client moves when its server cannot take it, and not back.
func TestRebinding(t *testing.T) {
	t.Parallel()
	p, _ := sealing(t, "app", "srv", testKey(1, KeyActive))
	home, value := visit(t, p, "", today)
	cfg := Config{Name: "app", Servers: servers(2), Sticky: p.sticky.Sticky}
	cfg.Servers[0].Down = cfg.Servers[0].Name == home
	cfg.Servers[1].Down = cfg.Servers[1].Name == home
	p2 := mustPool(t, cfg, p)
	away, moved := visit(t, p2, value, today+1)
	if away == home || moved == value {
		t.Errorf("went to %s with the cookie %q", away, moved)
	}
	p3 := mustPool(t, Config{Name: "app", Servers: servers(2), Sticky: p.sticky.Sticky}, p2)
	if went, kept := visit(t, p3, moved, today+2); went != away || kept != moved {
		t.Errorf("went back to %s with %q", went, kept)
	}
	if st := p3.Status(0).Sticky; st.Rebound != 1 || st.Followed != 1 {
		t.Errorf("counted %+v", st)
	}
}

// TestPlainIDsAreAccepted while clients come over from nginx.
func TestPlainIDsAreAccepted(t *testing.T) {
	t.Parallel()
	p, _ := sealing(t, "app", "srv", testKey(1, KeyActive))
	p.sticky.AcceptPlain = true
	sid := p.Peers()[1].SID
	went, value := visit(t, p, sid, today)
	if went != p.Peers()[1].Text || len(value) != sealedText {
		t.Errorf("went to %s, and the cookie became %q", went, value)
	}
	if !follows(t, p, sid, today) {
		t.Error("not followed")
	}
	if visit(t, p, "0123456789abcdef0123456789abcdef", today); p.Status(0).Sticky.Refused[RefusedMalformed] != 1 {
		t.Error("an unknown id is not counted")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	one, two := testKey(1, KeyActive), testKey(2, KeyNext)
	twin := two
	twin.ID = one.ID
	for name, list := range map[string][]Key{
		"no sticky key is active":                                  {two},
		"more than one sticky key is active":                       {one, testKey(2, KeyActive)},
		"two sticky keys have the id " + strconv.Itoa(int(one.ID)): {one, twin},
	} {
		if _, err := NewKeys(list); err == nil || err.Error() != name {
			t.Errorf("%v, not %q", err, name)
		}
	}
	raw := bytes.Repeat([]byte{'z'}, 32)
	digits := strings.Repeat("7a", 32)
	for text, ok := range map[string]bool{
		string(raw):                             true,
		digits:                                  true,
		"# mine\n\n  " + digits + " \n":         true,
		digits[:32] + " # half\n" + digits[32:]: true,
		strings.ToUpper(digits) + "\n":          true,
		"":                                      false,
		digits[:63]:                             false,
		digits + "7a":                           false,
		digits[:62] + "xy":                      false,
		"# " + digits:                           false,
	} {
		secret, err := ParseKey([]byte(text))
		if (err == nil) != ok || ok && string(secret[:]) != string(raw) {
			t.Errorf("%q: %q, %v", text, secret, err)
		}
		if err != nil && strings.Contains(err.Error(), "7a") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if back, err := ParseKey(FormatKey(&one.Secret)); err != nil || back != one.Secret {
		t.Errorf("a key written cannot be read: %v", err)
	}
}

// FuzzSealed: whatever a client sends, only what the ring has sealed is
// followed, and what is sealed says what was put in.
func FuzzSealed(f *testing.F) {
	keys := mustKeys(f, testKey(1, KeyActive), testKey(2, KeyRetiring))
	// Sealed once and for all: the processes of a fuzzer would each seal another.
	good := []byte("AUi1AovETr2MSdgYSouJEumClY0i09BQYo_QcLZuvCW9uevyf1Ht05zRvneboR7d0zGeYay8woHV")
	var buf [sealedSize]byte
	if _, _, ok := keys.open(&buf, []byte("u"), good); !ok {
		f.Fatal("a good id is refused")
	}
	f.Add(good, []byte("u"), uint64(42), uint32(today))
	f.Add(good[:20], []byte("v"), uint64(0), uint32(0))
	f.Fuzz(func(t *testing.T, value, bound []byte, number uint64, issued uint32) {
		var buf [sealedSize]byte
		if o, why, ok := keys.open(&buf, bound, value); ok && !bytes.Equal(value, good) {
			t.Fatalf("opened %q as %+v", value, o)
		} else if !ok && why >= refusals {
			t.Fatalf("refused as %d", why)
		}
		server := ServerID(number)
		text := keys.seal(nil, &buf, bound, server, int64(issued))
		o, _, ok := keys.open(&buf, bound, text)
		if !ok || o.server != server || o.issued != int64(issued) || o.state != KeyActive {
			t.Fatalf("%d at %d became %+v, %t", server, issued, o, ok)
		}
	})
}
