package upstream

import (
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

func TestParseMethod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want Method
		err  string
	}{
		{"round_robin", Method{}, ""},
		{"least_conn", Method{Kind: LeastConn}, ""},
		{"ip_hash", Method{Kind: IPHash}, ""},
		{"hash $uri", Method{Kind: Hash}, ""},
		{"hash $uri consistent", Method{Kind: ConsistentHash}, ""},
		{"random", Method{Kind: Random}, ""},
		{"random two", Method{Kind: RandomTwo}, ""},
		{"random two least_conn", Method{Kind: RandomTwo}, ""},
		{"random two least_time=header", Method{Kind: RandomTwo, Measure: Header}, ""},
		{"random two least_time=last_byte", Method{Kind: RandomTwo, Measure: LastByte}, ""},
		{"least_time header", Method{Kind: LeastTime, Measure: Header}, ""},
		{"least_time last_byte inflight", Method{Kind: LeastTime, Measure: LastByte, Inflight: true}, ""},
		{"least_conn x", Method{}, `invalid number of arguments in "least_conn" directive`},
		{"ip_hash x", Method{}, `invalid number of arguments in "ip_hash" directive`},
		{"hash", Method{}, `invalid number of arguments in "hash" directive`},
		{"hash a b c", Method{}, `invalid number of arguments in "hash" directive`},
		{"hash a b", Method{}, `invalid parameter "b"`},
		{"random three", Method{}, `invalid parameter "three"`},
		{"random two best", Method{}, `invalid parameter "best"`},
		{"random two a b", Method{}, `invalid number of arguments in "random" directive`},
		{"least_time", Method{}, `invalid number of arguments in "least_time" directive`},
		{"least_time first", Method{}, `invalid value "first"`},
		{"least_time header x", Method{}, `invalid parameter "x"`},
		{"most_conn", Method{}, `unknown directive "most_conn"`},
	} {
		words := strings.Fields(c.line)
		got, err := ParseMethod(words[0], words[1:]...)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: error %v, want %s", c.line, err, c.err)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.line, got, err)
		}
	}
}

func TestMethodNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind                Kind
		backup, key, client bool
	}{
		{RoundRobin, true, false, false},
		{LeastConn, true, false, false},
		{LeastTime, true, false, false},
		{IPHash, false, false, true},
		{Hash, false, true, false},
		{ConsistentHash, false, true, false},
		{Random, false, false, false},
		{RandomTwo, false, false, false},
	} {
		m := Method{Kind: c.kind}
		if m.AllowsBackup() != c.backup || m.UsesKey() != c.key || m.UsesClient() != c.client {
			t.Errorf("kind %d: %v %v %v", c.kind, m.AllowsBackup(), m.UsesKey(), m.UsesClient())
		}
	}
}

func TestSplitServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ server, host, port string }{
		{"10.0.0.1:8080", "10.0.0.1", "8080"},
		{"example.com", "example.com", ""},
		{"example.com:80", "example.com", "80"},
		{"example.com:", "example.com", ""},
		{"[::1]:80", "[::1]", "80"},
		{"[::1]", "[::1]", ""},
		{"unix:/run/a:80", "/run/a:80", ""},
		{"UNIX:/run/a", "/run/a", ""},
		{"8080", "8080", ""},
		{":80", "", "80"},
		{"", "", ""},
	} {
		if host, port := splitServer(c.server); host != c.host || port != c.port {
			t.Errorf("%s: %q %q", c.server, host, port)
		}
	}
}

func TestSharesFind(t *testing.T) {
	t.Parallel()
	g := &group{slots: []slot{{weight: 5}, {weight: 1}, {weight: 2}}}
	s := newShares(g)
	for w, want := range []int{0, 0, 0, 0, 0, 1, 2, 2} {
		if got := s.find(int64(w)); got != want {
			t.Errorf("find(%d) = %d, want %d", w, got, want)
		}
	}
}

func TestMemcachedHash(t *testing.T) {
	t.Parallel()
	for n, text := range []string{"foo", "1foo", "2foo"} {
		want := crc32.ChecksumIEEE([]byte(text)) >> 16 & 0x7fff
		if got := memcachedHash(uint32(n), []byte("foo")); got != want {
			t.Errorf("round %d: %d, want %d", n, got, want)
		}
	}
}

func TestTried(t *testing.T) {
	t.Parallel()
	var set tried
	for _, i := range []int{0, 63, 64, 255, 256, 999} {
		if set.has(i) {
			t.Errorf("%d is in before", i)
		}
		set.add(i)
		set.add(i)
		if !set.has(i) || set.has(i+1) {
			t.Errorf("after %d: %v, the next %v", i, set.has(i), set.has(i+1))
		}
	}
	if set.n != 6 {
		t.Errorf("%d members", set.n)
	}
	set.clear()
	if set.has(0) || set.has(999) || set.n != 0 {
		t.Error("not empty after clear")
	}
}

func TestAverage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ avg, v, want int64 }{
		{0, 70, 70}, {100, 100, 100}, {100, 200, 105}, {100, 0, 95}, {10, 20, 11}, {1, 0, 1},
	} {
		if got := average(c.avg, c.v); got != c.want {
			t.Errorf("average(%d, %d) = %d, want %d", c.avg, c.v, got, c.want)
		}
	}
}

func TestCombine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		facts Facts
		want  State
		text  string
		admit admission
	}{
		{Facts{}, StateUp, "up", admitAll},
		{Facts{Down: true}, StateDown, "down", admitNone},
		{Facts{Drain: true}, StateDraining, "draining", admitBound},
		{Facts{Unavail: true}, StateUnavail, "unavail", admitAll},
		{Facts{Drain: true, Unavail: true}, StateUnavail, "unavail", admitAll},
		{Facts{Verdict: VerdictChecking}, StateChecking, "checking", admitNone},
		{Facts{Verdict: VerdictUnhealthy}, StateUnhealthy, "unhealthy", admitNone},
		{Facts{Verdict: VerdictUnhealthy, Unavail: true}, StateUnhealthy, "unhealthy", admitNone},
		{Facts{Verdict: VerdictUnhealthy, Down: true}, StateDown, "down", admitNone},
		{Facts{Down: true, Order: OrderUp}, StateUp, "up", admitAll},
		{Facts{Drain: true, Order: OrderUp}, StateUp, "up", admitAll},
		{Facts{Down: true, Order: OrderDrain}, StateDraining, "draining", admitBound},
		{Facts{Order: OrderDrain}, StateDraining, "draining", admitBound},
		{Facts{Order: OrderDown}, StateDown, "down", admitNone},
		{Facts{Order: OrderUp, Verdict: VerdictUnhealthy}, StateUnhealthy, "unhealthy", admitNone},
	} {
		got := Combine(c.facts)
		if got != c.want || got.String() != c.text || admissionOf(got) != c.admit {
			t.Errorf("%+v: %v, admission %d", c.facts, got, admissionOf(got))
		}
	}
}

// FuzzPick feeds what comes from clients to the methods that look at it: any
// key and any address must lead to a peer, and to the same one each time.
func FuzzPick(f *testing.F) {
	f.Add([]byte("key"), []byte{10, 0, 0, 1}, []byte("hint"))
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add([]byte{0xff, 0}, []byte("0123456789abcdef"), []byte{0})
	var pools []*Pool
	for _, kind := range []Kind{IPHash, Hash, ConsistentHash} {
		pools = append(pools, mustPool(f, Config{Method: Method{Kind: kind}, Servers: servers(7)}, nil))
	}
	f.Fuzz(func(t *testing.T, key, ip, hint []byte) {
		client, _ := netip.AddrFromSlice(ip)
		for i, p := range pools {
			var got [2]string
			for n := range got {
				a := PickArgs{Key: key, Client: client, Hint: hint}
				peer, err := p.Pick(&a)
				if err != nil {
					t.Fatal(err)
				}
				got[n] = peer.Text
				p.Release(&a, Outcome{})
			}
			if got[0] != got[1] && (i == 0 || len(key) > 0) {
				t.Errorf("pool %d: %v", i, got)
			}
		}
	})
}
