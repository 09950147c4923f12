package consensus

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// nodesOf reads nodes: L leader, V voter, N without a vote; then how long it is
// alive, or with a minus, dead. Their ids are a, b, c, ...
func nodesOf(t *testing.T, text string) (nodes []Attendance) {
	t.Helper()
	for i, word := range strings.Fields(text) {
		d, err := time.ParseDuration(word[1:])
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, Attendance{ID: NodeID(rune('a' + i)), Voter: word[0] != 'N', Leader: word[0] == 'L', Alive: d >= 0, For: d.Abs()})
	}
	return nodes
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	names := map[StepKind]string{StepNone: "nothing", StepPromote: "promote ", StepDemote: "demote ", StepRemove: "remove "}
	for _, c := range []struct{ what, nodes, want string }{
		{"alone", "L1h", "nothing"},
		{"two: one vote is as good as two", "L1h N1h", "nothing"},
		{"a third makes votes for all", "L1h N1h N1h", "promote b"},
		{"and for the last", "L1h V1h N10s", "promote c"},
		{"who has just come waits", "L1h V1h N9s", "nothing"},
		{"three are enough for four", "L1h V1h V1h N1h", "nothing"},
		{"five of seven vote", "L1h V1h V1h V1h N1h N1h N1h", "promote e"},
		{"not six", "L1h V1h V1h V1h V1h N1h N1h", "nothing"},
		{"a voter that is briefly away keeps its vote", "L1h V1h V-29s N1h", "nothing"},
		{"one that is dead is replaced", "L1h V1h V-30s N1h", "promote d"},
		{"and then loses its vote", "L1h V1h V-40s V10s", "demote c"},
		{"not without a replacement", "L1h V1h V-1h", "nothing"},
		{"the dead go after a day", "L1h V1h V1h N-24h", "remove d"},
		{"not before", "L1h V1h V1h N-23h", "nothing"},
		{"two of three that are left: the dead first", "L1h V1h V-24h", "demote c"},
		{"then the one too many, which does not lead", "V1h L1h N-24h", "demote a"},
		{"then the dead leave", "N1h L1h N-24h", "remove c"},
		{"a minority does nothing", "L1h V-1h V-1h N1h", "nothing"},
		{"half is no majority", "L1h V-1h N1h N1h", "nothing"},
	} {
		s := NextStep(nodesOf(t, c.nodes))
		if got := names[s.Kind] + string(s.ID); got != c.want {
			t.Errorf("%s: %s: %s, not %s", c.what, c.nodes, got, c.want)
		}
	}
}

// Whatever is done, the living keep a majority, and it comes to an end.
func TestStepsKeepTheMajority(t *testing.T) {
	t.Parallel()
	words := []string{"V1h", "N1h", "V-40s", "N-25h", "V-25h", "V-1s"}
	for n := range 6 * 6 * 6 * 6 * 6 {
		text := "L1h"
		for i := n; i > 0; i /= 6 {
			text += " " + words[i%6]
		}
		nodes := nodesOf(t, text)
		was := majority(nodes)
		for steps := 0; ; steps++ {
			s := NextStep(nodes)
			if s.Kind == StepNone {
				break
			}
			i := int(s.ID[0] - 'a')
			switch s.Kind {
			case StepRemove:
				nodes[i] = Attendance{ID: s.ID, Alive: true} // another that has just come
			default:
				nodes[i].Voter = s.Kind == StepPromote
			}
			if was && !majority(nodes) || steps > 20 {
				t.Fatalf("%s: step %d, %v: %v", text, steps, s, nodes)
			}
		}
	}
}

func majority(nodes []Attendance) bool {
	alive, voters := 0, 0
	for _, n := range nodes {
		if n.Voter {
			voters++
			if n.Alive {
				alive++
			}
		}
	}
	return alive > voters/2
}

// A node that has entered since the leader looked last is not taken for one that
// has been dead since the beginning of time.
func TestAttendanceOfWhoJustEntered(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	seen := &attendance{since: map[NodeID]sighting{"a": {true, now.Add(-time.Hour)}}}
	got := seen.of(map[NodeID]server{"b": {id: "b"}, "a": {id: "a", voter: true}}, "a", now)
	want := []Attendance{{ID: "a", Voter: true, Leader: true, Alive: true, For: time.Hour}, {ID: "b"}}
	if !slices.Equal(got, want) || NextStep(got).Kind != StepNone {
		t.Errorf("%+v", got)
	}
}
