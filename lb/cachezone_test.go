package lb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// TestCacheDirectories: a reload may give a cache another directory, but not
// other levels, and no directory serves two caches.
func TestCacheDirectories(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	if err := os.Symlink(filepath.Join(b.Dir, "a"), filepath.Join(b.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ paths, want string }{
		{"proxy_cache_path a keys_zone=one:1m levels=1;", ""},
		{"proxy_cache_path a keys_zone=one:2m levels=1 inactive=1s; proxy_cache_path b keys_zone=two:1m;", ""},
		{"proxy_cache_path a keys_zone=renamed:2m levels=1; proxy_cache_path c keys_zone=two:1m;", ""},
		{"proxy_cache_path a keys_zone=one:1m levels=1:2;", `cache "one" had previously different levels: "1"`},
		{"proxy_cache_path a keys_zone=one:1m levels=1; proxy_cache_path link keys_zone=two:1m levels=1;",
			`link" leads to the directory of cache "one"`},
		{"proxy_cache_path a keys_zone=one:1m levels=1;", ""},
	} {
		_, err := b.Reload("http { " + tt.paths + " server { listen 127.0.0.1:8000; return 204; } }")
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.paths, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, not %s", tt.paths, err, tt.want)
		}
	}
}
