package health

import (
	"strings"
	"testing"
)

// TestTally counts results: + passed, - failed. After each one stands the
// status: u(nknown), U(p) or D(own), with "!" while it is about to change.
func TestTally(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fails, passes int
		results, want string
	}{
		{1, 1, "+-+", "U D U"},
		{1, 1, "-+", "D U"},
		{3, 1, "+----", "U U! U! D D"},
		{3, 1, "--+---", "u! u! U U! U! D"},
		{3, 1, "+--+--", "U U! U! U U! U!"},
		{1, 3, "-+++", "D D! D! U"},
		{1, 3, "-++-+++", "D D! D! D D! D! U"},
		{1, 2, "+-++", "u! D D! U"},
		{2, 2, "+-+-++", "u! u! u! u! u! U"},
	} {
		var tl tally
		var got []string
		for _, r := range tt.results {
			tl.add(r == '+', tt.fails, tt.passes)
			s := map[Status]string{StatusUnknown: "u", StatusUp: "U", StatusDown: "D"}[tl.status]
			if tl.changing() {
				s += "!"
			}
			got = append(got, s)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("fails=%d passes=%d %s: %s, want %s", tt.fails, tt.passes, tt.results, g, tt.want)
		}
	}
}

// TestOpinion puts the checks of one peer together. A word is a check: u, U or
// D, with "m" if it is mandatory and "!" after a failure that does not count
// yet.
func TestOpinion(t *testing.T) {
	t.Parallel()
	for checks, want := range map[string]Status{
		"u": StatusUnknown, "U": StatusUp, "D": StatusDown, "U!": StatusSuspect, "um": StatusUnknown,
		"U U": StatusUp, "U D": StatusDown, "D U": StatusDown, "u D": StatusDown, "um D": StatusDown,
		"u U": StatusUp, "um U": StatusUnknown, "U um": StatusUnknown, "Um u": StatusUp, "U! U": StatusSuspect, "U U!": StatusSuspect,
		"D U!": StatusDown, "u! U": StatusUp,
	} {
		var list []*target
		for word := range strings.FieldsSeq(checks) {
			tg := &target{check: &Check{Mandatory: strings.Contains(word, "m")}}
			tg.tally.status = map[byte]Status{'u': StatusUnknown, 'U': StatusUp, 'D': StatusDown}[word[0]]
			if strings.Contains(word, "!") {
				tg.tally.row = 1
			}
			list = append(list, tg)
		}
		if got := opinion(list); got != want {
			t.Errorf("%s: %s, want %s", checks, got, want)
		}
	}
}
