package upstream

import "time"

// inflight follows the age of the requests a peer has in work. The records of
// neighbours are neighbours, like those of hot.
type inflight struct {
	sum      int64 // ms: ages of all at the time of changed
	changed  int64 // ms
	average  int64 // ms: moving average of the mean age, as seen by picks
	requests int32
	// steps are the larger ones of average and each of resident.times, rounded
	// by cluster; 0: to be computed.
	steps [2]int16
}

func (f *inflight) begin(now int64) {
	ms := now / int64(time.Millisecond)
	if f.requests > 0 {
		f.sum += (ms - f.changed) * int64(f.requests)
	}
	f.changed = ms
	f.requests++
}

// end takes out a request that was in work for took.
func (f *inflight) end(took time.Duration, now int64) {
	ms := now / int64(time.Millisecond)
	if f.requests == 1 {
		f.sum = 0
	} else {
		f.sum += (ms-f.changed)*int64(f.requests) - took.Milliseconds()
		f.changed = ms
	}
	f.requests--
}

// ages returns the sum of the ages at time ms.
func (f *inflight) ages(ms int64) int64 {
	return f.sum + (ms-f.changed)*int64(f.requests)
}

// rests reports that observe would leave the average as it is. Up to nine
// milliseconds more or less are lost when a twentieth of them is rounded, and
// whether the mean age is that near can be told without dividing.
func (f *inflight) rests(ms int64) bool {
	const near = 9
	n := int64(f.requests)
	off := f.sum + (ms-f.changed-f.average)*n // from the average, n times
	return uint64(off+near*n) < uint64((near+1+near)*n) && f.average > 0
}

// observe lets the mean age of the requests in work, of which there must be
// some, flow into the average. Steps that this may change are forgotten; most
// often it stays within one step, and the peer's times need not be fetched.
func (f *inflight) observe(ms int64) {
	before := f.average
	f.average = average(before, f.ages(ms)/int64(f.requests))
	if max(before, f.average) >= slowest || cluster(before) != cluster(f.average) {
		f.steps = [2]int16{}
	}
}
