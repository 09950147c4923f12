// Package consensus holds what all nodes of a cluster must agree on: changes to
// upstreams made at run time, operators' orders, answers of name servers, key
// rings, and the table of nodes.
//
// A [State] is a value that never changes. [State.Apply] makes the next one of a
// [Command], the command's index in the log and the time its leader gave it, and
// of nothing else: no clock, no chance, no lock. So nodes that apply the same
// log hold the same state, to the byte of its snapshot, and whoever reads holds
// a pointer and waits for nobody.
//
// What configurations say never comes here. Upstreams are an overlay: servers
// that were added, and edits, removals and orders by the id of a server, which
// sleep while no configuration has the line they speak of.
//
// [Open] takes part in agreement: it gives the newest state, and [Consensus.Propose]
// has a command agreed on, on whichever node. The library hashicorp/raft carries
// the log. Between it and the state stands a machine that follows the log and
// stops, rather than step over an entry it cannot read; between it and the disk a
// guard, so that a disk that fails or hangs ends an instance of the library and
// never the process. An instance that ends is followed by another; meanwhile, and
// while there is no leader, the last agreed state stays in use.
//
// Every node follows the log; at most five of them vote. Nodes without a log look
// for a cluster to join, and form one if nobody has one. The leader keeps the
// configuration of the log like the table of nodes, gives and takes votes, and
// sees to the keys.
//
// A node that is alone drives the same state machine: with a data folder through
// a log of its own, without one in memory. No port is opened then.
package consensus
