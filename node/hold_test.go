package node

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHeld: a server that falls ill again and again is held by all nodes, which
// they tell, and used again in the end though nothing more happens to it.
func TestHeld(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	var ill atomic.Bool
	moody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(moody.Close)
	addr := strings.TrimPrefix(moody.URL, "http://")
	conf := fmt.Sprintf("upstream app { zone app 64k; server %s; server %s; } "+
		"server { listen 127.0.0.1:0; location / { proxy_pass http://app; health_check interval=100ms; } }", addr, app(t, "well"))
	const count = 3
	for i := range count {
		s.begin(t, i+1, s.conf(i+1, count, strings.ReplaceAll(conf, "127.0.0.1:0", fmt.Sprintf("%s%d:8081", s.net, i+1))))
	}

	state := func(i int) (state string, held int) {
		u, err := s.hand(i+1).Upstream(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		p := u.Servers[0].Peers[0]
		return p.State, p.HeldSeconds
	}
	all := func(want string) {
		eventually(t, "all say "+want, func() bool {
			for i := range count {
				if got, _ := state(i); got != want {
					return false
				}
			}
			return true
		})
	}
	all("up")
	told := map[int]bool{} // nodes that have told that they hold it
	for end := time.Now().Add(patience); len(told) < count; {
		if time.Now().After(end) {
			t.Fatalf("only nodes %v hold it", told)
		}
		ill.Store(true)
		all("unhealthy")
		ill.Store(false)
		eventually(t, "all use it again", func() bool {
			up := 0
			for i := range count {
				switch got, held := state(i); {
				case got == "up":
					up++
				case held > 0:
					told[i] = true
				}
			}
			return up == count
		})
	}
}
