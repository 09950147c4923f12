package main

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/node/control"
)

// TestNothingCommandsTerminals: whatever a name holds, tables and errors show it
// and no more.
func TestNothingCommandsTerminals(t *testing.T) {
	t.Parallel()
	bad := "\x1b[31m\u009bK\n\x7f\u202e\xff"
	var out strings.Builder
	order := &control.Order{Kind: bad, Who: bad, Why: bad}
	writeUpstreams(&out, []control.Upstream{
		{Name: bad, Servers: []control.Server{{Server: bad, Source: bad, Order: order, Parameters: control.Parameters{Route: &bad}, Peers: []control.Peer{{Addr: bad, State: bad}}}}},
		{Name: bad, Changeable: true},
	})
	writeMembers(&out, []control.Member{{NodeName: control.NodeName{Name: bad, ID: bad}, Addr: bad, Part: bad, Alive: true}}, time.Unix(0, 0))
	name := control.NodeName{Name: bad}
	writeStatus(&out, &control.Status{Node: bad, ID: bad, Version: bad, Data: bad, Stopped: bad, Cluster: &control.ClusterStatus{
		Name: bad, ID: bad, Part: bad, Leader: &name, Missing: []control.NodeName{name}, Differing: []string{bad}, Older: []control.NodeName{name}}})
	errandCode(&control.Failure{Code: control.OutcomeUnknown, Text: bad, Known: []string{bad}, Request: "1"}, &out)
	e := &errand{out: &out}
	if err := e.done(control.Outcome{Note: bad}, nil, "node %s leads", bad); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSuffix(line, "\n"); line != printable(line) {
			t.Errorf("%q", line)
		}
	}
	if want := 3 + 2 + 10; strings.Count(out.String(), "\n") < want {
		t.Errorf("fewer than %d lines: %s", want, out.String())
	}
	if got := printable(bad); got != `\x1b[31m\u009bK\n\x7f\u202e`+"\ufffd" {
		t.Errorf("shown as %s", got)
	}
	if got := printable("größer …"); got != "größer …" {
		t.Errorf("what can be shown is shown as %s", got)
	}
}
