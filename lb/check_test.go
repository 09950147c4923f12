package lb_test

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// What the test of a configuration finds beyond its syntax, in blocks that nothing uses, too.
func TestCheckFindsMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ conf, want string }{
		{`match unused { body ~ "a(b"; }`, `missing closing parenthesis`},
		{`match unused { header X ~ "a(b"; }`, `missing closing parenthesis`},
		{`match unused { require $no_such_variable; }`, `unknown "no_such_variable" variable`},
		{`upstream u { zone u 64k; state no/such/folder/u.state; }`, `/no/such/folder/u.state" failed (2: No such file or directory)`},
	} {
		b := lbtest.New(t)
		cfg, err := b.Load("events {} http { " + tt.conf + " server { listen 127.0.0.1:8080; location / { return 200 ok; } } }")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(cfg); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "weir.conf:") {
			t.Errorf("%s: %v", tt.conf, err)
		}
	}
}
