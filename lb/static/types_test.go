package static

import (
	"testing"

	"github.com/weir-lb/weir/config"
)

func TestTypes(t *testing.T) {
	types := NewTypes(&config.Settings{DefaultType: "x/y", Types: map[string]string{"html": "text/html", "tar.gz": "never", "gz": "application/gzip"}})
	tests := []struct{ path, want string }{
		{"/a.html", "text/html"},
		{"/a.HtmL", "text/html"},
		{"/a.tar.gz", "application/gzip"},
		{"/a.html/b", "x/y"},
		{"/a", "x/y"},
		{"/a.", "x/y"},
		{"/.html", "text/html"},
		{"", "x/y"},
		{"/a.html0123456789012345678901234567890123456789", "x/y"},
	}
	for _, test := range tests {
		if got := string(types.Of([]byte(test.path))); got != test.want {
			t.Errorf("%s: got %s, want %s", test.path, got, test.want)
		}
	}
	if got := NewTypes(&config.Settings{}).Of([]byte("/a")); got != nil {
		t.Errorf("without a default: %q", got)
	}
	path := []byte("/a.HtmL")
	if n := testing.AllocsPerRun(100, func() { types.Of(path) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
