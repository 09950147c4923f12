package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/golden"
)

// TestDirectiveDocs keeps docs/directives.md in step with the rows.
func TestDirectiveDocs(t *testing.T) {
	t.Parallel()
	const name = "../docs/directives.md"
	golden.Compare(t, name, directiveDocs())
}

const docsHead = `# Directives

This file is generated from the rows of package config by ` + "`go test ./config -update`" + `.

Every directive of nginx is in one of four states:

- **supported**: in force, with nginx's meaning unless the table says otherwise;
- **meaningless here**: accepted and checked for form; weir has nothing it could control. ` + "`weir -t`" + ` mentions it;
- **coming**: accepted and checked for form, not in force in this version. ` + "`weir -t`" + ` and each start warn with file and line;
- **refused**: an error that names the directive, because going on without it could open a door or change replies in silence.
  A refused directive whose only argument is ` + "`off`" + ` is accepted where that is what weir does anyway.

Anything else is an unknown directive.

`

func directiveDocs() string {
	var all []*row
	count := map[State]int{}
	for _, list := range rowIndex() {
		for _, r := range list {
			all = append(all, r)
			count[r.state]++
		}
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.in, b.in))
	})
	var b strings.Builder
	b.WriteString(docsHead)
	fmt.Fprintf(&b, "%d supported, %d meaningless here, %d coming, %d refused.\n",
		count[Supported], count[Meaningless], count[Coming], count[Refused])

	b.WriteString("\n## What differs from nginx\n\n| directive | difference |\n|---|---|\n")
	for _, r := range all {
		if text := cmp.Or(r.differs, r.why); r.state == Supported && text != "" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", r.name, text)
		}
	}
	for _, d := range generalDifferences() {
		fmt.Fprintf(&b, "| %s | %s |\n", d[0], d[1])
	}
	b.WriteString("\n## All directives\n\n| directive | where | state | remark |\n|---|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.name, contextWords(r.in), r.state, cmp.Or(r.differs, r.why))
	}
	return b.String()
}

// generalDifferences are those that belong to no row.
func generalDifferences() [][2]string {
	return [][2]string{
		{"`events`", "the block may be left out"},
		{"`include`", "includes and blocks may be nested 100 deep"},
		{"`error_log memory:`", "refused"},
		{"`listen … http2`", "works; nginx has deprecated it in favour of `http2 on`"},
		{"`http2`", "WebSockets over HTTP/2 (RFC 8441) work; a plain connection whose first line is no request line gets no answer; frames of replies never hold more than 16k"},
		{"`listen … quic`", "refused: there is no HTTP/3"},
		{"`listen … setfib`, `accept_filter`", "meaningless here: only BSD systems have them"},
		{"`sticky`", "a client that was bound to a backup server stays there when primary ones are back; an error page after every server has failed binds to none"},
		{"`sticky learn … sync`", "the nodes of a [cluster](cluster.md) tell each other at once; a session that is forgotten is forgotten by all"},
		{"`resolver … nxdomain=keep`", "weir's own: servers found by a name stay although it is said not to exist any more; the default is `remove`, which nginx does. See [discovery](discovery.md)"},
		{"`api`", "coming; until then the location answers 503 and never serves files in their place"},
		{"`ssl_protocols SSLv2`, `SSLv3`", "these protocols do not exist; naming nothing else is an error"},
		{"relative names", "of included files, certificates and keys: from the directory of the main file; of logs, roots, pid and temporary paths: from the prefix, which is the directory of the main file unless `-p` names another"},
		{"defaults", "logs go to `/var/log/weir`, temporary files to `/var/lib/weir`"},
	}
}

func contextWords(in Context) string {
	var list []string
	for i, name := range contextNames() {
		if in&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

// TestRowsAreSound finds rows that contradict each other or themselves.
func TestRowsAreSound(t *testing.T) {
	t.Parallel()
	for name, list := range rowIndex() {
		var seen Context
		for _, r := range list {
			if seen&r.in != 0 {
				t.Errorf("%s has two rows for %s", name, contextWords(seen&r.in))
			}
			seen |= r.in
			switch {
			case r.in == 0:
				t.Errorf("%s has no context", name)
			case r.state == Supported && r.set == nil:
				t.Errorf("%s is supported and does nothing", name)
			case (r.state == Meaningless || r.state == Refused) && r.why == "":
				t.Errorf("%s is %s without a reason", name, r.state)
			case r.args == 0 && r.state != Refused:
				t.Errorf("%s takes no number of arguments", name)
			}
		}
	}
}
