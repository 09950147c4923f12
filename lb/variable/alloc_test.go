//go:build !race

// The race detector makes pools forget, those of package regexp too, and so
// everything allocate.

package variable

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

func TestRegexAllocatesNothingWithoutGroups(t *testing.T) {
	x := regex(t, nil, `\.(?:gif|jpg|jpeg)$`, true)
	s := &source{}
	subject := []byte("/images/deep/below/picture.JPEG")
	if n := testing.AllocsPerRun(100, func() { x.Match(s, subject) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLookupsAllocateNothing(t *testing.T) {
	key := ""
	value := []byte("")
	table := NewTable()
	table.Add(Variable{Name: "key", Get: func(Source) ([]byte, bool) { return value, true }})
	compile(t, table, NewMapping(table, mapOf(false, "upgrade yes", "~^x no", " close")))
	hosts := mapOf(true, "a.example one", "*.example two", "www.* three")
	hosts.Name = "host"
	compile(t, table, NewMapping(table, hosts))
	compile(t, table, NewGeo(table, &config.Geo{Name: "geo", Source: config.Text{Value: "$key"},
		Entries: []config.GeoEntry{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Value: "ten"}}}))
	compile(t, table, NewSplit(table, &config.SplitClients{Name: "split", Source: config.Text{Value: "$key"},
		Parts: []config.SplitPart{{Percent: 5000, Value: config.Text{Value: "half"}}, {Value: config.Text{Value: "rest"}}}}))
	x := text(t, table, "$v $host $geo $split")
	s := &source{}
	for _, key = range []string{"", "UPGRADE", "WWW.Example", "10.1.2.3", strings.Repeat("Long", 50)} {
		value = []byte(key)
		if n := testing.AllocsPerRun(50, func() {
			s.arena.Reset()
			clear(s.memos[:])
			x.Value(s)
		}); n > 0 {
			t.Errorf("%q: %v allocations", key, n)
		}
	}
}
