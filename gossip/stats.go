package gossip

import "sync/atomic"

// Stats counts what happened since Open.
type Stats struct {
	Strangers   uint64 // packets and streams of such as do not have our key, or are of another cluster
	Outside     uint64 // packets and streams from addresses that Allow does not name
	Malformed   uint64 // messages that no node of ours would send
	Oversized   uint64 // streams that were longer than anything of ours
	Replayed    uint64 // records that came again long after all had them, or of an earlier run of their node
	Unknown     uint64 // messages about or by nodes that are not members, or that Admit refused
	Dropped     uint64 // packets for which the queue had no room
	Full        uint64 // records for which a ledger had no room
	SessionDrop uint64 // sessions for which the queue to a member had no room, or whose member died
	SessionSent uint64 // sessions that members have acknowledged, for each of these once
	SessionWait int    // sessions that wait for members now, likewise
	Packets     uint64 // messages of other nodes' records that came by packets
	Deltas      uint64 // the same by streams
	Pulls       uint64 // comparisons by stream, because a digest differed
	LostPackets uint64 // pings that came through by TCP only
}

// counters are Stats in the making.
type counters struct {
	strangers, outside, malformed, oversized, replayed, unknown, dropped, full, sessionDrop, sessionSent, packets, deltas, pulls, lostPackets atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Strangers: c.strangers.Load(), Outside: c.outside.Load(), Malformed: c.malformed.Load(), Oversized: c.oversized.Load(), Replayed: c.replayed.Load(),
		Unknown: c.unknown.Load(), Dropped: c.dropped.Load(), Full: c.full.Load(), SessionDrop: c.sessionDrop.Load(), SessionSent: c.sessionSent.Load(),
		Packets: c.packets.Load(), Deltas: c.deltas.Load(), Pulls: c.pulls.Load(), LostPackets: c.lostPackets.Load(),
	}
}
