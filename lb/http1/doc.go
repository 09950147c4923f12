// Package http1 is the codec of HTTP/1: heads and bodies between bytes and the
// nouns of package request. It is pure: no goroutine, socket or clock, and no
// heap allocation for a message that is well-formed.
//
// Parsing starts again from the first byte when a head was not complete, and
// its outcome never depends on how the bytes arrived. Every byte is taken
// literally or the message is refused; nothing is repaired on the way in, so
// that no two readers of a message can disagree about it:
//
//   - request line and status line: read_line.go, read_reply.go (RFC 9112, 3, 4)
//   - field lines: read_field.go (RFC 9112, 5)
//   - where a message ends: framing.go (RFC 9112, 6), the only place
//   - the chunked coding and trailers: body_read.go, trailer.go (RFC 9112, 7)
//   - what Connection asks for: connection.go (RFC 9110, 7.6.1)
//   - host and path of a target: host.go, target.go (RFC 3986)
//   - the way out: write_head.go, body_write.go
//
// Where a standard leaves a choice, the strict reading is taken; where it
// leaves none, nginx's words and statuses are used.
package http1
