// Package health finds out how the peers of upstreams fare, by asking them
// (health_check), and tells the upstreams what it concludes.
//
// A [Check] is one health_check line made ready. The [Checker] keeps when which
// peer is due in one heap with one timer; a goroutine exists only while a probe
// is on its way. The results of one check of one peer are counted in a row by a
// tally, all tallies of a peer make this node's own [Report] of it, and of the
// reports of all nodes that check the peer, [Evidence], a verdict is made. Only
// verdicts that change are told, to the upstream at once and to the log in one
// line.
//
// Where there are other nodes (SetNodes), three check each peer and tell the
// others. The first sign that a peer may be ill, by a check or by a request,
// lets all three look at once.
//
//	checker.go   which peers are checked
//	schedule.go  when
//	nodes.go     by whom
//	conclude.go  what a result leads to
//	tally.go     results in a row
//	report.go    what a node says of a peer, and why
//	ledger.go    what other nodes say
//	share.go     the work of the nodes, as they come and go
//	suspect.go   looking at once
//	judge.go     the verdict
//	hold.go      peers that come and go too often
//	probe.go     one question to a peer: probe_http1.go and probe_http2.go
//	match.go     whether its answer is a good one
//	grpc.go      the gRPC health checking protocol
package health
