package measured

import (
	"testing"
	"time"
)

// TestRepeat: what others did to a trial is pardoned, what is slow by itself is not.
func TestRepeat(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	calm := func(took time.Duration) Trial { return Trial{Took: took, Waited: ms} }
	late := func(took time.Duration) Trial { return Trial{Took: took, Waited: took} }
	for _, tt := range []struct {
		name   string
		trials []Trial // the last goes on
		made   int
		near   time.Duration
	}{
		{"quick", []Trial{calm(10 * ms)}, 4, 10 * ms},
		{"slow by itself", []Trial{calm(300 * ms)}, 4, 300 * ms},
		{"one late", []Trial{calm(10 * ms), late(900 * ms), calm(20 * ms)}, 5, 20 * ms},
		{"busy for a while", []Trial{late(500 * ms), late(600 * ms), late(700 * ms), calm(20 * ms)}, 7, 20 * ms},
		{"busy and slow by itself", []Trial{late(500 * ms)}, 12, 500 * ms},
		{"waited, but not for so long", []Trial{{Took: 300 * ms, Waited: 150 * ms}}, 4, 300 * ms},
	} {
		made := 0
		got := Repeat(4, 100*ms, func() Trial {
			made++
			return tt.trials[min(made, len(tt.trials))-1]
		})
		if made != tt.made || len(got) != 4 || got.Near() != tt.near {
			t.Errorf("%s: %d trials, %s; want %d, near %s", tt.name, made, got, tt.made, tt.near)
		}
	}
}

func TestWaited(t *testing.T) {
	t.Parallel()
	if d := waitedOf("123456 789 10\n"); d != 789 {
		t.Errorf("waited %d ns", d)
	}
	for _, bad := range []string{"", "1", "1 x 2"} {
		if d := waitedOf(bad); d != 0 {
			t.Errorf("%q: %d ns", bad, d)
		}
	}
	if d := Waited(); d != 0 {
		t.Errorf("nobody waited %s", d)
	}
}
