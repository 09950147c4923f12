package variable

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

// clientSource is a source that knows its client.
type clientSource struct {
	source
	addr      netip.Addr
	forwarded []byte
}

func (c *clientSource) ClientAddr() netip.Addr { return c.addr }
func (c *clientSource) ForwardedFor() []byte   { return c.forwarded }

// keyed is a table with a variable whose value the test changes.
func keyed(key *string) *Table {
	table := NewTable()
	table.Add(Variable{Name: "key", Get: func(s Source) ([]byte, bool) { return []byte(*key), true }})
	return table
}

func compile(t testing.TB, table *Table, block interface{ Compile(*Table) error }) {
	t.Helper()
	if err := block.Compile(table); err != nil {
		t.Fatal(err)
	}
}

// mapOf is a map block of "key value" lines; "~" begins an expression.
func mapOf(hostnames bool, lines ...string) *config.Map {
	m := &config.Map{Name: "v", Source: config.Text{Value: "$key"}, Default: config.Text{Value: "none"}, Hostnames: hostnames}
	for _, l := range lines {
		key, value, _ := strings.Cut(l, " ")
		e := config.MapEntry{Key: key, Value: config.Text{Value: value}}
		if pattern, ok := strings.CutPrefix(key, "~"); ok {
			e.Regex = &config.Regex{Pattern: pattern}
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

func TestMapping(t *testing.T) {
	t.Parallel()
	key := ""
	table := keyed(&key)
	compile(t, table, NewMapping(table, mapOf(false, " empty", "a one", "*.x star", "~^(?<n>b+)c [$n]", "~b second")))
	x := text(t, table, "$v")
	for _, tt := range []struct{ key, want string }{
		{"", "empty"}, {"a", "one"}, {"A", "one"}, {"aa", "none"}, {"*.X", "star"}, {"q.x", "none"},
		{"bbc", "[bb]"}, {"xb", "second"}, {strings.Repeat("A", 300), "none"},
	} {
		key = tt.key
		if got := string(x.Value(&source{})); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.key, got, tt.want)
		}
	}
}

func TestMappingErrors(t *testing.T) {
	t.Parallel()
	key := ""
	for want, m := range map[string]*config.Map{
		`conflicting parameter "a"`:        mapOf(false, "a 1", "a 2"),
		`conflicting parameter ".b.c"`:     mapOf(true, "*.b.c 1", ".b.c 2"),
		`unknown "nothing" variable`:       mapOf(false, "a $nothing"),
		`invalid regular expression "(a"`:  mapOf(false, "~(a 1"),
		`the duplicate "key" variable`:     mapOf(false, "~(?<key>a) 1"),
		`the duplicate "Key" variable`:     {Name: "Key"},
		`unknown "x" variable`:             {Name: "v", Source: config.Text{Value: "$x"}},
		`invalid variable name in "$+ abc`: {Name: "v", Default: config.Text{Value: "$+ abc"}},
	} {
		table := keyed(&key)
		if err := NewMapping(table, m).Compile(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestHostnames(t *testing.T) {
	t.Parallel()
	var h Hostnames[int]
	if _, found := h.Find([]byte("x")); found {
		t.Error("found in the empty table")
	}
	for i, name := range []string{"a.b", "*.a.b", "*.b", ".c.d", "w.*", "w.x.*", ""} {
		if !h.Add(name, i) {
			t.Errorf("%s was there before", name)
		}
	}
	for _, name := range []string{"a.b", "*.b", ".a.b", ".c.d", "*.c.d", "c.d", "w.*", ""} {
		if h.Add(name, 99) {
			t.Errorf("%s was added twice", name)
		}
	}
	for _, tt := range []struct {
		name string
		want int
	}{
		{"a.b", 0}, {"x.a.b", 1}, {"y.x.a.b", 1}, {"c.b", 2}, {"c.d", 3}, {"x.c.d", 3}, {"w.q", 4}, {"w.x", 4},
		{"w.x.y", 5}, {"w.x.b", 2}, {"w", -1}, {"", 6}, {"b", -1}, {"xa.bc", -1}, {".", -1}, {"..", -1},
	} {
		got, found := h.Find([]byte(tt.name))
		if !found {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestGeoTellsTheNarrowestNetwork(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var entries []config.GeoEntry
		for i := range 1 + random.IntN(20) {
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(256))})
			p, _ := a.Prefix(24 + random.IntN(9))
			entries = append(entries, config.GeoEntry{Prefix: p, Value: fmt.Sprint(i)})
		}
		checkFlat(t, entries, func(e config.GeoEntry, a netip.Addr) (bool, int) { return e.Prefix.Contains(a), e.Prefix.Bits() })
	}
}

func TestGeoTellsTheLastRange(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	at := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	for range 200 {
		var entries []config.GeoEntry
		for i := range 1 + random.IntN(20) {
			low, high := random.IntN(256), random.IntN(256)
			entries = append(entries, config.GeoEntry{Low: at(min(low, high)), High: at(max(low, high)), Value: fmt.Sprint(i)})
		}
		checkFlat(t, entries, func(e config.GeoEntry, a netip.Addr) (bool, int) {
			return e.Low.Compare(a) <= 0 && a.Compare(e.High) <= 0, 0
		})
	}
}

// checkFlat compares the flattened table with a search through all entries.
func checkFlat(t *testing.T, entries []config.GeoEntry, covers func(config.GeoEntry, netip.Addr) (bool, int)) {
	t.Helper()
	key := ""
	table := keyed(&key)
	g := NewGeo(table, &config.Geo{Name: "v", Source: config.Text{Value: "$key"}, Default: "none", Entries: entries})
	compile(t, table, g)
	x := text(t, table, "$v")
	for i := range 256 {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		want, best := "none", -1
		for _, e := range entries {
			if in, rank := covers(e, a); in && rank >= best {
				want, best = e.Value, rank
			}
		}
		key = a.String()
		if got := string(x.Value(&source{})); got != want {
			t.Fatalf("%v of %v: %s, want %s", a, entries, got, want)
		}
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		client, list    string
		once, recursive string
	}{
		{"192.0.2.1", "1.1.1.1", "192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"},
		{"10.0.0.1", "1.1.1.1, 2.2.2.2", "2.2.2.2", "2.2.2.2"},
		{"10.0.0.1", "1.1.1.1, 10.0.0.2 , ", "10.0.0.2", "1.1.1.1"},
		{"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.2", "10.0.0.3"},
		{"10.0.0.1", "bad, 10.0.0.2", "10.0.0.2", "10.0.0.2"},
		{"10.0.0.1", "1.1.1.1:80", "1.1.1.1", "1.1.1.1"},
		{"10.0.0.1", "[2001:db8::1]:80", "2001:db8::1", "2001:db8::1"},
		{"10.0.0.1", "[2001:db8::1]", "2001:db8::1", "2001:db8::1"},
		{"fd00::1", "2001:db8::1, fd00::2", "fd00::2", "2001:db8::1"},
		{"::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"},
		{"10.0.0.1", "1.2.3", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "1.2.3.256", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "1.2.3.4.5", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "1..2.3", "10.0.0.1", "10.0.0.1"},
	} {
		client := netip.MustParseAddr(tt.client)
		if got := Forwarded(client, []byte(tt.list), trusted, false); got.String() != tt.once {
			t.Errorf("%s for %q: %s, want %s", tt.client, tt.list, got, tt.once)
		}
		if got := Forwarded(client, []byte(tt.list), trusted, true); got.String() != tt.recursive {
			t.Errorf("%s for %q, recursive: %s, want %s", tt.client, tt.list, got, tt.recursive)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("1.1.1.1, 10.0.0.1")
	f.Add("[::1]:80,,")
	f.Fuzz(func(t *testing.T, list string) {
		all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		for _, recursive := range []bool{false, true} {
			if got := Forwarded(netip.MustParseAddr("10.0.0.1"), []byte(list), all, recursive); !got.IsValid() {
				t.Errorf("%q: no address", list)
			}
		}
	})
}

func TestGeoOfAClient(t *testing.T) {
	t.Parallel()
	table := NewTable()
	compile(t, table, NewGeo(table, &config.Geo{
		Name: "v", Default: "none", Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Entries: []config.GeoEntry{
			{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: "proxy"},
			{Prefix: netip.MustParsePrefix("255.255.255.255/32"), Value: "all ones"},
			{Prefix: netip.MustParsePrefix("fe80::/10"), Value: "link"},
			{Prefix: netip.MustParsePrefix("1.0.0.0/8"), Value: "one"},
		},
	}))
	x := text(t, table, "$v")
	for _, tt := range []struct{ addr, forwarded, want string }{
		{"10.0.0.1", "", "proxy"}, {"10.0.0.1", "1.1.1.1", "one"}, {"2.2.2.2", "1.1.1.1", "none"},
		{"fe80::1%eth0", "", "link"}, {"::ffff:1.2.3.4", "", "one"}, {"", "", "all ones"},
	} {
		s := &clientSource{}
		if tt.addr != "" {
			s.addr = netip.MustParseAddr(tt.addr)
		}
		if tt.forwarded != "" {
			s.forwarded = []byte(tt.forwarded)
		}
		if got := string(x.Value(s)); got != tt.want {
			t.Errorf("%s for %s: %s, want %s", tt.addr, tt.forwarded, got, tt.want)
		}
	}
}

func TestMurmur2(t *testing.T) {
	t.Parallel()
	// Values of the reference implementation with the seed 0.
	for s, want := range map[string]uint32{
		"": 0, "a": 0x92685f5e, "abc": 0x13577c9b, "abcd": 0x26873021,
	} {
		if got := murmur2([]byte(s)); got != want {
			t.Errorf("%q: %#x, want %#x", s, got, want)
		}
	}
}
