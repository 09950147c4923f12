// Package upstream decides who: which peer of an upstream gets the next
// attempt of a request. It holds pools, peers and balancing methods, and it
// counts what the attempts came to. It opens no socket, knows no HTTP and
// reads no clock: the time enters with every call, in nanoseconds of one
// clock of the caller's choice.
//
// # What is swapped and what stays
//
// A [Pool] is one immutable set of peers: their addresses, weights and limits
// together with everything that says whether they may be used. A change of any
// of these is a new Pool, built beside the old one and swapped by one pointer,
// so no request ever sees a new peer with an old verdict. What a peer has
// experienced (requests in work, failures, current weight, counters, idle
// connections) belongs to the peer and not to the set: the new Pool finds the
// peer of the same identity in the old one and shares its record, see
// [NewPool] and [Pool.TakeOver].
//
// # The writers
//
// A [Roster] is one upstream over all its Pools. It holds what each writer said
// last: the server lines of the configuration; what was changed of them at run
// time, with the operator's orders ([Table.SetOverlay]); the answers of the name
// servers to lines that ask them ([Roster.SetAnswer]); and the verdicts of the
// health checks ([Roster.SetVerdicts]). Each writer replaces its own words only; of all of
// them together the next Pool is built. A [Table] holds the rosters by name,
// and takes a new configuration in two steps: [Table.Prepare] builds beside
// what serves, [Table.Commit] puts in force.
//
// # The three facts about a peer
//
// Who is in (the server lines), what an operator ordered ([Order]) and how the
// peer fares (its [Verdict]) are three facts with three writers. [Combine]
// alone puts them together with the passive failures into one [State].
//
// # The life of a pick
//
// A request keeps one [PickArgs] for all its attempts at one upstream. Each
// attempt is one [Pool.Pick] followed by one [Pool.Release] with the
// [Outcome]; a peer already tried is not picked again for the same request.
// Pick asks the method, first for the primary servers and then, when none of
// these can take the request, for the backup servers.
//
// # Sticky clients
//
// A request may be bound to a peer by what it presents: [Pool.Follow] reads it
// and [Pool.AppendID] writes what the client is to present next time, or
// [Pool.Learn] notes the application's own session in a table. Every method
// takes the bound peer first; it leaves it, and the client is bound anew, only
// when that peer cannot take the request. A draining peer keeps its clients.
//
//	sticky.go       what a request presents, followed and given back
//	stickykey.go    keys and their ring
//	stickyseal.go   ids that clients can neither read nor make
//	stickylearn.go  sessions of the application
//
// # Waiting, and growing
//
// Where no peer can take a request, it may stand in the upstream's [Queue]:
// [Wait] is the one place here where a goroutine waits, that of the request
// itself. Whatever may have made room calls the first in the queue. A peer that
// turns usable starts slowly where its server line says so, see slowstart.go.
//
// # Failures
//
// The accounting of failures is nginx's. Times are compared in whole seconds.
// A failure moves the peer's count of fails and both its marks in time,
// accessed and checked, to now. At max_fails the peer is left out until more
// than fail_timeout has passed since checked; then one pick moves checked to
// now, so that exactly one live request per fail_timeout tries the peer. Its
// success (accessed is older than checked) forgets all fails, its failure
// starts the next period.
package upstream
