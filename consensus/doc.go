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
// The library hashicorp/raft is to carry the log. Between it and the state stands
// a machine that follows the log and stops, rather than step over an entry it
// cannot read; between it and the disk a guard, so that a disk that fails or
// hangs ends an instance of the library and never the process.
//
// The package does not yet open the library, and nothing calls it.
package consensus
