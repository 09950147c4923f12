// Package link is how the nodes of a cluster reach each other by TCP: one port,
// mutual TLS 1.3, and on it three protocols that ALPN tells apart.
//
//	weir-call/1   a call and its answer, framed and bounded: Call, Options.Handlers
//	weir-raft/1   the streams of the agreed log: Raft
//	weir-sync/1   the streams of gossip, for what is too much for packets: Sync
//
// Who has the cluster's [Secret] belongs to the cluster: a key that is derived
// from it signs the certificates, and each node issues its own. A certificate
// names cluster and node; that nobody takes the name of another node is what
// Options.Admit looks after, since every holder of the secret could. Certificates
// do not expire: the table of nodes shuts out a node, a new secret all others
// who know the old one. So no clock decides whether nodes find each other.
//
// Whoever is refused is told why, if a certificate of the cluster was shown, and
// the log has one line about it, however often it tries; see refusals.
package link
