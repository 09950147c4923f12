package upstream

import "time"

// inflight follows the age of the requests a peer has in work. The records of
// neighbours are neighbours, like those of hot.
type inflight struct {
	begins   int64 // ms: the sum of the times at which they began
	base     int64 // ms: the mean age is so much more than the time
	average  int64 // ms: moving average of the mean age, as seen by picks
	requests int32
	// steps are the larger ones of average and each of resident.times, rounded
	// by cluster; 0: to be computed.
	steps [2]int16
}

func (f *inflight) begin(now int64) {
	f.begins += now / int64(time.Millisecond)
	f.requests++
	f.rebase()
}

// end takes out a request that was in work for took.
func (f *inflight) end(took time.Duration, now int64) {
	f.begins -= now/int64(time.Millisecond) - took.Milliseconds()
	if f.requests--; f.requests == 0 {
		f.begins = 0 // what was lost by rounding is forgotten
		return
	}
	f.rebase()
}

// rebase computes base, lest the mean age cost a division each time.
func (f *inflight) rebase() {
	n := int64(f.requests)
	f.base = -f.begins / n
	if f.base*n > -f.begins {
		f.base-- // rounded down
	}
}

// near is how many ms from the average a mean age may be that leaves it as it
// is: so many are lost when a twentieth of them is rounded.
const near = 9

// rests reports that observe would leave the average as it is.
func (f *inflight) rests(ms int64) bool {
	return uint64(f.base+ms-f.average+near) < near+1+near && f.average > 0
}

// restsUntil returns the ms from which on an average that rests does so no more:
// the first in which the mean age is one ms too far ahead of it.
func (f *inflight) restsUntil() int64 { return f.average + near + 1 - f.base }

// observe lets the mean age of the requests in work, of which there must be
// some, flow into the average. Steps that this may change are forgotten; most
// often it stays within one step, and the peer's times need not be fetched.
func (f *inflight) observe(ms int64) {
	before := f.average
	f.average = average(before, f.base+ms)
	if max(before, f.average) >= slowest || cluster(before) != cluster(f.average) {
		f.steps = [2]int16{}
	}
}
