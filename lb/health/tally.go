package health

// tally counts the results of one check of one peer. Its status changes when
// enough of them in a row say otherwise.
type tally struct {
	status Status // StatusUnknown, StatusUp or StatusDown
	passed bool   // what the results in row were
	row    int    // results in a row that say otherwise than status
}

// add counts a result. fails and passes are what it takes.
func (t *tally) add(passed bool, fails, passes int) {
	if passed != t.passed {
		t.passed, t.row = passed, 0
	}
	if passed && t.status == StatusUp || !passed && t.status == StatusDown {
		t.row = 0
		return
	}
	t.row++
	switch {
	case passed && t.row >= passes:
		t.status, t.row = StatusUp, 0
	case !passed && t.row >= fails:
		t.status, t.row = StatusDown, 0
	}
}

// changing reports whether the status is about to change, so that the next
// result is of interest soon.
func (t *tally) changing() bool { return t.row > 0 }

// opinion puts the tallies of all checks of a peer together: one that fails is
// enough, and one that is mandatory must be known.
func opinion(targets []*target) Status {
	status := StatusUnknown
	for _, t := range targets {
		switch {
		case t.tally.status == StatusDown:
			return StatusDown
		case t.tally.status == StatusUp && status == StatusUnknown:
			status = StatusUp
		}
		if t.tally.changing() && !t.tally.passed && status == StatusUp {
			status = StatusSuspect
		}
	}
	for _, t := range targets {
		if t.check.Mandatory && t.tally.status == StatusUnknown {
			return StatusUnknown
		}
	}
	return status
}
