// Package node is one weir from start to end: it loads a configuration, sets up
// the process, starts the balancer, reloads it, and stops it again.
//
// The life of a node, with the file of each step:
//
//	load     load.go      files → config.Config; warnings and notes are told
//	set up   setup.go     log → balancer → sockets → pid file → user → serving
//	run      node.go      one order after the other: reload, reopen, quit, stop
//	reload   reload.go    the new configuration is built whole beside the old one
//	stop     node.go      what was started is stopped, in reverse
//
// What a node shares with others hangs on its cluster: ground.go opens what takes
// the rights of the start, cluster.go starts link, agreement and gossip and stops
// them, and feed.go with the files named after it is the bridge to the balancer:
// feed_state.go for what was agreed on, feed_health.go for reports, feed_drift.go
// for configurations, sharing.go for sessions, council.go for names.
//
// A node owns nothing global, so that several can run in one test process. What
// belongs to the process as a whole (user, environment, limits, number of CPUs)
// is only touched by a node with Options.OwnProcess; see process.go.
//
// A process that has given up its rights leaves a small second one behind, the
// keeper, for what the pid file, unix sockets and rotated logs need; keeper.go
// is the node's end of it, keep.go its own life.
//
// Check (-t) and Signal (-s) are the two errands that start nothing.
//
// Errors are told once, by the node: on stderr as "weir: [emerg] …" as long as
// it is starting, and in the error log. Who calls only has to choose an exit code.
package node
