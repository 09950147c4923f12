package main

import (
	"fmt"
	"io"
	"strings"
)

// show prints what there is to open and to try.
func (s *stage) show(w io.Writer, actors []*actor) {
	first := s.nodes[0]
	fmt.Fprintf(w, `
weir runs as a cluster of %d nodes in front of two servers

  open   http://localhost:%d/           is sent on to HTTPS; your browser will warn of the self-made certificate
`, nodes, first.httpPort)
	for _, n := range s.nodes {
		fmt.Fprintf(w, "         https://localhost:%d/webapp/   node %s: a page that tells which server made it, a login, a WebSocket\n", n.httpsPort, n.name)
	}
	fmt.Fprintf(w, `  or     curl -k https://localhost:%d/webapp/me

  sign in at one node, and you are signed in at all. Kill the node that answers you and go to another, or kill a server
  and see the other take over (what was killed is started again after %v):
`, first.httpsPort, s.restartAfter)
	for _, a := range actors {
		fmt.Fprintf(w, "         kill -9 %d   # %s, %s\n", a.ID(), a, a.where)
	}
	fmt.Fprintf(w, `  ask any node about all of them, or change servers on all of them:
         %[1]s cluster members %[2]s
         %[1]s upstream list %[2]s
         %[1]s upstream drain nodejs 127.0.0.1:%[3]d %[2]s
  change the configuration of a node and reload:
         %[1]s -s reload %[2]s   # or: kill -HUP its process

  the access logs follow (errors are in %[4]s); Ctrl-C stops everything

`, quote(s.weir), quote(first.args()...), s.appPorts[0], first.log("error.log"))
}

// quote makes words to be pasted into a shell.
func quote(words ...string) string {
	var list []string
	for _, word := range words {
		if strings.ContainsAny(word, " ;'\"$&()*") {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}
