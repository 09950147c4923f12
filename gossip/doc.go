// Package gossip tells the nodes of a cluster of each other: who is there and alive, what each saw of the upstream
// servers, and which sticky sessions it learned. Nothing here is agreed on: each node says what only it can say, and
// everyone believes the newest word of each. What must not diverge belongs in package consensus.
//
// Membership is that of github.com/hashicorp/memberlist, on one port, UDP and TCP, encrypted with a ring of keys. What
// nodes say is kept in a table of ledgers, one for each writer (table.go): a record replaces an older one of the same
// key, and the records of a writer are numbered without gaps, so that "node A, run 3, up to 812" names all that A said.
// Three ways lead to the same tables:
//
//   - rumors: a new record goes out at once in packets to some members, who pass it on, and rides on the packets of
//     the failure detector a few more times (rumor.go, spread.go). Fast, but neither certain nor cheap for many.
//   - streams: when there is too much for packets, neighbours tell each other how far their ledgers go and send what
//     the other lacks (sync.go, courier.go). Up to 16 nodes everyone is a neighbour, beyond that four are (graph.go).
//   - the digest: each acknowledgement of a ping carries a hash over all ledgers (digest.go). Where two nodes differ,
//     the asking one compares by stream with the other. This is what brings the last word to the last node.
//
// Learned sessions have no table here, since lb keeps one: they are sent to chosen members, acknowledged, and sent
// again after a broken connection (post.go).
//
// Packets and streams of strangers are refused, counted (Stats) and told in one line of the log each (refusal.go).
package gossip
