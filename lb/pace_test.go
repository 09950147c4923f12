package lb

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// What limit_rate lets through, and when: each line is one piece.
func TestPacer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		rate, after int64
		begin       time.Duration // from the request's start to the reply
		body        int64
		want        []piece
	}{
		{"within the first second's worth", 1000, 0, 0, 900, []piece{{0, 900}}},
		{"a pause behind each second's worth", 1000, 0, 0, 2500, []piece{{0, 1000}, {time.Second, 1000}, {2 * time.Second, 500}}},
		{"limit_rate_after is worth no time", 1000, 500, 0, 2500, []piece{{0, 1500}, {time.Second, 1000}}},
		{"a reply that fits into limit_rate_after", 1000, 9000, 0, 9000, []piece{{0, 9000}}},
		{"time spent before the reply counts", 1000, 0, 3 * time.Second, 5000, []piece{{3 * time.Second, 4000}, {7 * time.Second, 1000}}},
		{"less than a millisecond is no pause", 1 << 20, 0, 0, 100, []piece{{0, 100}}},
	} {
		r := &request.Request{}
		r.RateLimit, r.RateAfter = tt.rate, tt.after
		var p pacer
		var got []piece
		for at, sent := tt.begin, int64(0); sent < tt.body && len(got) < 100; {
			n, wait := p.next(r, at, sent, int(tt.body-sent))
			at += wait
			if n > 0 {
				p.sent(r, at, sent, sent+int64(n))
				got = append(got, piece{at, n})
				sent += int64(n)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", tt.name, got)
			continue
		}
		for i, want := range tt.want {
			if got[i] != want {
				t.Errorf("%s: piece %d is %v, not %v", tt.name, i, got[i], want)
			}
		}
	}
}

type piece struct {
	at time.Duration
	n  int
}

// When the pause has ended too early for a byte, it is asked anew.
func TestPacerWaitsForAByte(t *testing.T) {
	t.Parallel()
	r := &request.Request{}
	r.RateLimit = 10
	var p pacer
	n, wait := p.next(r, 0, 30, 5)
	if n != 0 || wait < 2*time.Second || wait > 2200*time.Millisecond {
		t.Error(n, wait)
	}
	if n, wait = p.next(r, wait, 30, 5); n != 1 || wait != 0 {
		t.Error(n, wait)
	}
}
