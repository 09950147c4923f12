package health

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/upstream"
)

// evidenceOf reads evidence: what held, then what the nodes of the panel say,
// this one's in brackets, with a plus for what was said later.
func evidenceOf(t *testing.T, text string) Evidence {
	t.Helper()
	status := map[string]Status{"?": StatusUnknown, "up": StatusUp, "suspect": StatusSuspect, "down": StatusDown}
	words := strings.Fields(text)
	e := Evidence{Before: status[words[0]]}
	for _, w := range words[1:] {
		bare := strings.TrimRight(strings.Trim(w, "()[]"), "+")
		s, known := status[bare]
		if !known {
			t.Fatal(text)
		}
		switch w[0] {
		case '[': // on the panel
			e.Prober, e.Own = true, s
		case '(': // not on it
			e.Own = s
		default:
			e.Votes[e.Others] = Vote{Status: s, Later: strings.HasSuffix(w, "+")}
			e.Others++
		}
	}
	return e
}

func TestJudge(t *testing.T) {
	t.Parallel()
	last := "" // title
	for _, line := range strings.Split(strings.TrimSpace(`
		alone: its own checks are all there is                |  ?    [?]                 | ?    usable
		                                                      |  ?    [up]                | up   usable
		                                                      |  up   [suspect]           | up   usable
		                                                      |  up   [down]              | down unhealthy
		                                                      |  down [suspect]           | down unhealthy
		                                                      |  down [?]                 | ?    usable
		alone, mandatory                                      |  ?    [?]                 | ?    checking
		                                                      |  up   [up]                | up   usable
		                                                      |  up   [down]              | down unhealthy
		two of three decide                                   |  up   [up] up down        | up   usable
		                                                      |  up   [up] down down      | down unhealthy
		                                                      |  down [up] up down        | up   usable
		                                                      |  up   up down down        | down unhealthy
		                                                      |  down up up down          | up   usable
		all say so                                            |  up   [down] down down    | down unhealthy
		                                                      |  down [up] up up          | up   usable
		a suspicion alone changes nothing                     |  up   suspect suspect up  | up   usable
		                                                      |  up   [suspect] suspect suspect | up usable
		no majority: what held goes on                        |  up   down ? ?            | up   usable
		                                                      |  down up ? ?              | down unhealthy
		                                                      |  ?    up ? ?              | ?    usable
		                                                      |  down suspect down up     | down unhealthy
		nobody knows anything                                 |  up   ? ? ?               | ?    usable
		                                                      |  down ? ? ?               | ?    usable
		nobody has been heard yet, settling                   |  down ? ? ?               | down unhealthy
		nobody knows anything, mandatory                      |  ?    ? ? ?               | ?    checking
		one knows, mandatory                                  |  ?    up ? ?              | ?    checking
		                                                      |  ?    [up] ? ?            | ?    usable
		most know, mandatory                                  |  ?    [?] up up           | up   usable
		two nodes: both must say down, and up                 |  up   [up] down           | up   usable
		                                                      |  up   [down] down         | down unhealthy
		                                                      |  down [up] down           | down unhealthy
		its own failed check suspends at once                 |  up   [down] up up        | up   unhealthy
		                                                      |  up   [down] up+ up       | up   unhealthy
		                                                      |  ?    [down] ? ?          | ?    unhealthy
		until most have looked again                          |  up   [down] up+ up+      | up   usable
		and for good where there is no majority               |  up   [down] up+          | up   unhealthy
		it may not be taken back yet, held                    |  down [up] up up          | down unhealthy
		                                                      |  down up up up            | down unhealthy
		                                                      |  down [up] up             | down unhealthy
		                                                      |  down ? ? ?               | ?    usable
		what it has proven counts more here, proven           |  down [up] down down      | down usable
		                                                      |  down (up) down down down | down usable
		                                                      |  down [suspect] down down | down unhealthy
		                                                      |  down [up] up down        | up   usable
		what it has not does not                              |  down (up) down down down | down unhealthy
	`), "\n") {
		f := strings.Split(line, "|")
		title, want := strings.TrimSpace(f[0]), strings.Fields(f[2])
		if title != "" {
			last = title
		}
		e := evidenceOf(t, f[1])
		e.Settling = strings.HasSuffix(last, "settling")
		e.Held = strings.HasSuffix(last, "held")
		e.Mandatory, e.Proven = strings.HasSuffix(last, "mandatory"), strings.HasSuffix(last, "proven")
		nodes := e.Nodes()
		here := map[upstream.Verdict]string{
			upstream.VerdictUsable: "usable", upstream.VerdictChecking: "checking", upstream.VerdictUnhealthy: "unhealthy",
		}[e.Here(nodes)]
		if n := strings.Replace(nodes.String(), "unknown", "?", 1); n != want[0] || here != want[1] {
			t.Errorf("%s: %s: %s %s, want %s", last, f[1], n, here, want)
		}
	}
}
