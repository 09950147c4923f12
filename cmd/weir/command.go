package main

import (
	"fmt"
	"io"
)

// command runs what the first argument names where it is no option; known is
// false where it names nothing.
func command(args []string, stderr io.Writer) (code int, known bool) {
	if len(args) == 0 {
		return 0, false
	}
	var err error
	switch args[0] {
	case "keygen":
		err = keygen(args[1:])
	default:
		return 0, false
	}
	if err != nil {
		fmt.Fprintf(stderr, "weir: %v\n", err)
	}
	return exitCode(err), true
}
