package static

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
)

func TestExpires(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 2*60*60)
	now := time.Date(2026, time.March, 10, 12, 0, 0, 500, zone) // 10:00 GMT
	modified := time.Date(2026, time.March, 9, 10, 0, 0, 0, time.UTC)
	const form = "Mon, 02 Jan 2006 15:04:05 GMT"
	tests := []struct {
		name     string
		expires  config.Expires
		text     string
		modified time.Time
		want     string // Expires | Cache-Control
	}{
		{"off", config.Expires{Kind: config.ExpiresOff}, "", modified, ""},
		{"epoch", config.Expires{Kind: config.ExpiresEpoch}, "", modified, "Thu, 01 Jan 1970 00:00:01 GMT | no-cache"},
		{"max", config.Expires{Kind: config.ExpiresMax}, "", modified, "Thu, 31 Dec 2037 23:55:55 GMT | max-age=315360000"},
		{"24h", config.Expires{Kind: config.ExpiresAccess, Time: 24 * time.Hour}, "", modified, "Wed, 11 Mar 2026 10:00:00 GMT | max-age=86400"},
		{"0", config.Expires{Kind: config.ExpiresAccess}, "", modified, "Tue, 10 Mar 2026 10:00:00 GMT | max-age=0"},
		{"-1", config.Expires{Kind: config.ExpiresAccess, Time: -time.Second}, "", modified, "Tue, 10 Mar 2026 09:59:59 GMT | no-cache"},
		{"modified 25h", config.Expires{Kind: config.ExpiresModified, Time: 25 * time.Hour}, "", modified, "Tue, 10 Mar 2026 11:00:00 GMT | max-age=3600"},
		{"modified 1h, long ago", config.Expires{Kind: config.ExpiresModified, Time: time.Hour}, "", modified, "Mon, 09 Mar 2026 11:00:00 GMT | no-cache"},
		{"modified 0", config.Expires{Kind: config.ExpiresModified}, "", modified, "Tue, 10 Mar 2026 10:00:00 GMT | max-age=0"},
		{"modified 1h, unknown", config.Expires{Kind: config.ExpiresModified, Time: time.Hour}, "", time.Time{}, "Tue, 10 Mar 2026 11:00:00 GMT | max-age=3600"},
		{"@15h30m", config.Expires{Kind: config.ExpiresDaily, Time: 15*time.Hour + 30*time.Minute}, "", modified, "Tue, 10 Mar 2026 13:30:00 GMT | max-age=12600"},
		{"@12h is now", config.Expires{Kind: config.ExpiresDaily, Time: 12 * time.Hour}, "", modified, "Wed, 11 Mar 2026 10:00:00 GMT | max-age=86400"},
		{"@0", config.Expires{Kind: config.ExpiresDaily}, "", modified, "Tue, 10 Mar 2026 22:00:00 GMT | max-age=43200"},
		{"variable: empty", config.Expires{Kind: config.ExpiresText}, "", modified, ""},
		{"variable: off", config.Expires{Kind: config.ExpiresText}, "off", modified, ""},
		{"variable: nonsense", config.Expires{Kind: config.ExpiresText}, "soon", modified, ""},
		{"variable: max", config.Expires{Kind: config.ExpiresText}, "max", modified, "Thu, 31 Dec 2037 23:55:55 GMT | max-age=315360000"},
		{"variable: 1h", config.Expires{Kind: config.ExpiresText}, "1h", modified, "Tue, 10 Mar 2026 11:00:00 GMT | max-age=3600"},
		{"variable: modified", config.Expires{Kind: config.ExpiresText, Modified: true}, "25h", modified, "Tue, 10 Mar 2026 11:00:00 GMT | max-age=3600"},
	}
	for _, test := range tests {
		got := ""
		if x, ok := Expires(test.expires, []byte(test.text), now, test.modified); ok {
			got = x.Expires.Format(form) + " | " + string(x.AppendCacheControl(nil))
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
