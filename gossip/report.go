package gossip

import (
	"encoding/binary"
	"math"
	"time"
)

// Report is what one node says of one peer of an upstream. The verdict is made of several of them, by everyone for
// itself, and never sent.
type Report struct {
	Node    string        // who says it: 32 hexadecimal digits. Publish fills it in, as the next two
	Boot    uint64        // in which of its runs
	Seq     uint64        // of two of one node and run, the one with the larger number is newer
	Key     uint64        // the peer
	Status  uint8         // 0 to 3, as package lb/health numbers them
	Reason  uint8         // 0 to 63, likewise
	Since   time.Time     // of the status, by the writer's clock, for people; in milliseconds
	Latency time.Duration // of the probe that led to it; at most 71 minutes, in microseconds
	Gone    bool          // the writer has nothing to say of the peer any more
}

const reportSize = 1 + 8 + 4

// entry gives the form that travels; its number is for the table to set.
func (r Report) entry() entry {
	e := entry{slot: slot{kindReport, r.Key}}
	if r.Gone {
		return e
	}
	e.value = make([]byte, 0, reportSize)
	e.value = append(e.value, r.Status<<6|r.Reason&63)
	e.value = binary.BigEndian.AppendUint64(e.value, uint64(r.Since.UnixMilli()))
	latency := min(max(r.Latency.Microseconds(), 0), math.MaxUint32)
	e.value = binary.BigEndian.AppendUint32(e.value, uint32(latency))
	return e
}

// report reads a record of kindReport. What a newer program has added at the end is passed over.
func (r Record) report() (Report, error) {
	out := Report{Node: r.Node, Boot: r.Boot, Seq: r.Seq, Key: r.Key}
	if len(r.Value) == 0 {
		out.Gone = true
		return out, nil
	}
	if len(r.Value) < reportSize {
		return Report{}, errMalformed
	}
	out.Status, out.Reason = r.Value[0]>>6, r.Value[0]&63
	out.Since = time.UnixMilli(int64(binary.BigEndian.Uint64(r.Value[1:])))
	out.Latency = time.Duration(binary.BigEndian.Uint32(r.Value[9:])) * time.Microsecond
	return out, nil
}
