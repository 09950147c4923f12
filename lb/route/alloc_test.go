//go:build !race

// The race detector makes pools forget, those of package regexp too, and so
// everything allocate.

package route_test

import (
	"testing"

	"github.com/weir-lb/weir/lb/variable"
)

func TestLocationsAllocateNothing(t *testing.T) {
	l := fifty(t)
	for _, path := range []string{"/", "/static/a.png", "/api/v7/users/12", "/service-3", "/api/v7", "/x.png", "/none"} {
		p := []byte(path)
		if n := testing.AllocsPerRun(50, func() { l.Find(p, nil) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func TestHostsAllocateNothing(t *testing.T) {
	table := variable.NewTable()
	h := hosts(t, table, "a.example.com", "*.example.com", "www.*", `~\.net$`)
	r := newRequest(t, table.Slots(), "/")
	for _, host := range []string{"a.example.com", "b.c.example.com", "www.x.y", "x.net", "none"} {
		name := []byte(host)
		if n := testing.AllocsPerRun(50, func() { h.Find(name, r) }); n > 0 {
			t.Errorf("%s: %v allocations", host, n)
		}
	}
}
