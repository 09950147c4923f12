package main

import (
	"fmt"
	"io"
)

// command runs what the first argument names where it is no option; known is
// false where it names nothing.
func command(args []string, stdout, stderr io.Writer) (code int, known bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case "explain":
		return exitCode(explain(args[1:], stdout, stderr)), true
	case "upstream":
		return askNode("upstream", upstreamVerbs(), args[1:], stdout, stderr), true
	case "cluster":
		return askNode("cluster", clusterVerbs(), args[1:], stdout, stderr), true
	case "keygen":
		err := keygen(args[1:])
		if err != nil {
			fmt.Fprintf(stderr, "weir: %v\n", err)
		}
		return exitCode(err), true
	}
	return 0, false
}
