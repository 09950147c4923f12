package measured

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		trials int
		near   time.Duration
		text   string
	}{
		{2, 1 * time.Millisecond, "median 2.0 ms, worst 2.0 ms"},
		{20, 19 * time.Millisecond, "median 11 ms, worst 20 ms"},
		{100, 99 * time.Millisecond, "median 51 ms, p99 99 ms, worst 100 ms"},
		{250, 248 * time.Millisecond, "median 126 ms, p99 248 ms, worst 250 ms"},
	} {
		var list Times
		for i := range tt.trials { // the longest first
			list = append(list, time.Duration(tt.trials-i)*time.Millisecond)
		}
		if got := list.Near(); got != tt.near || list.String() != tt.text {
			t.Errorf("of %d: %s; %s", tt.trials, got, list)
		}
	}
}
