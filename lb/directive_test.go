package lb_test

import "testing"

// The scripts below testdata/directives show what each directive does and how
// inner blocks inherit or replace it. The title of a case begins with the
// names of the directives it is about, which are written there in every block
// that may hold them: "proxy_method, proxy_set_body: what is shown".
const directiveScripts = "testdata/directives/*.script"

func TestDirectiveScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, directiveScripts)
}
