package measured

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// many is how many trials it takes until one of a hundred can be told from the worst.
const many = 100

// Times are how long the same thing took in several trials.
type Times []time.Duration

// sorted returns them in rising order.
func (t Times) sorted() Times { return slices.Sorted(slices.Values(t)) }

// Near is what one of a hundred exceeds; of fewer than a hundred trials, what one exceeds. There must be two at least.
func (t Times) Near() time.Duration {
	if len(t) < many {
		return t.sorted()[len(t)-2]
	}
	return t.sorted()[(len(t)*99+99)/100-1]
}

// Within fails a test whose Near is longer than the goal.
func (t Times) Within(tb testing.TB, what string, goal time.Duration) {
	tb.Helper()
	tb.Logf("%s: %s", what, t)
	if near := t.Near(); near > goal {
		tb.Errorf("%s: %s in all trials but few, at most %s are allowed", what, near, goal)
	}
}

// String tells the median, the p99 if there were trials enough for one, and the worst, in milliseconds.
func (t Times) String() string {
	s := t.sorted()
	p99 := ""
	if len(s) >= many {
		p99 = fmt.Sprintf("p99 %s, ", inMilliseconds(t.Near()))
	}
	return fmt.Sprintf("median %s, %sworst %s", inMilliseconds(s[len(s)/2]), p99, inMilliseconds(s[len(s)-1]))
}

// inMilliseconds words a duration; those under 10 ms with a digit more.
func inMilliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
