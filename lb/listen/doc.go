// Package listen owns the listening sockets of a balancer: it opens them, keeps them open over reloads, accepts connections
// on them, hands them to a successor process, and reads and writes the PROXY protocol that may precede a connection.
//
// A [Set] holds the sockets of one balancer. A reload describes all wanted addresses as [Spec] values and calls [Set.Open],
// which opens what is new before anything is dropped and fails without effect when one address cannot be had. The returned
// [Change] is then either committed (new sockets start accepting, sockets no longer wanted are closed) or aborted.
// A socket whose address stays in the configuration is the same [*Socket] for its whole life, so no queued connection is lost.
//
// Which virtual servers a connection belongs to is told by a [Binding]: when one of the addresses on a port is the wildcard,
// only the wildcard is bound, and connections to the more specific addresses are told apart by their local address.
//
// The package runs one accepting goroutine per listening descriptor, one for connections whose first bytes are awaited (see
// deferral) and none per connection. An accepted TCP connection costs accept4, a look whether bytes are there, one epoll_ctl
// where they are not, close, and getsockname where the socket is bound to a wildcard; none of them is announced to the scheduler.
// Go's poller hears of a connection only when it is waited for once more, as those are that serve further requests: that costs
// two more epoll_ctl, one fcntl of package os and dup3, and closing is done for many of them at a time, see reaper.
// Options that an accepted socket inherits, such as TCP_NODELAY, keepalive and buffer sizes, are set on the listener only.
package listen
