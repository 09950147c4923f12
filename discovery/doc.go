// Package discovery finds the addresses of names while weir runs, by asking
// the name servers of a `resolver` directive. It is the only user of DNS.
//
// [Resolver.Lookup] is asked by requests whose upstream is named by variables.
// What it learns is kept for as long as the records allow, or for the time of
// `valid`, and never longer: an answer that has expired is not used again. Of
// one name one look-up runs at a time, and all who want to know share it; it
// ends when the last of them has left.
//
// [Resolver.Follow] keeps the servers of an upstream up to date: it asks for a
// name, or for the SRV records of a service and their targets, whenever what is
// known expires, and tells what has changed. A failure changes nothing: what was
// known holds until a name server says otherwise. Answers are sets: sorted, each
// element once, and bounded, so that everyone who follows a name has the same
// servers in the same order, whatever order they came in.
//
// A look-up asks for A and AAAA records at the same time. Each question goes
// over UDP, and again over TCP where the answer was cut short. Name servers
// take turns in being the first; the next one is asked when one fails, refuses
// or stays silent, round after round, until one answers or nobody waits any
// more. Packets that do not answer the question (another id, another name,
// garbage) are ignored, so that a stranger's packets cannot end a look-up.
//
// The files by what they do: resolver.go keeps and shares what requests ask for,
// follow.go what upstreams follow, with memory.go for what is known and expires;
// lookup.go decides whom to ask and when to give up, server.go who is first,
// exchange.go sends and receives, answer.go and srv.go read what came, count.go
// counts. Only exchange.go touches the network.
package discovery
