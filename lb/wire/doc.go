// Package wire moves bytes through one non-blocking stream socket at the
// lowest cost that ordinary goroutines allow. Both sides of a proxied request
// use it: the client's connection and the upstream's.
//
// Four things set it apart from net.Conn, which it wraps:
//
//   - No read ends in EAGAIN. Serve keeps one raw read callback for the life
//     of a connection: the runtime's readiness flag is consumed by waiting and
//     never reset, so that a short read may be trusted to have emptied the
//     socket. Exchange writes a request from inside the callback in which it
//     then waits for the reply: the flag is reset before the peer can answer.
//   - The first wait of a new connection first looks whether its bytes are
//     there: one whose only request is, ends without the runtime's poller
//     having known it.
//   - Reads and writes are raw system calls that do not tell the scheduler,
//     which is safe because they never block.
//   - Deadlines are lazy. What a caller asks for is only noted; the runtime's
//     timer is moved when it would fire too late, and a timer that fires too
//     early is set anew. A busy connection moves it a few times a second
//     instead of several times a request.
//
// One goroutine at a time may read from a Socket and one may write to it, or
// one do both in an Exchange; Interrupt may be called from others.
package wire
