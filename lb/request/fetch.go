package request

import (
	"errors"
	"os"
)

// Fetcher gets the reply to a request: from an upstream, or from a cache that
// stands before another Fetcher. What it gives is the upstream's own reply,
// untouched by what a location does to replies for one client.
type Fetcher interface {
	// Fetch returns when the head of the reply is here: its fields lie in
	// r.Upstream; Status, Reason, Length and NoBody of r.Reply are set. The
	// caller must Close the body. A nil body means that there is no reply, and
	// the verdict says what answers in its place.
	Fetch(r *Request) (Incoming, Verdict)
}

// Incoming is the body of a reply on its way in. It is used by one goroutine.
type Incoming interface {
	// Next returns the next piece, void at the next call; it may be empty.
	// After the last piece it returns io.EOF, and the trailers lie in
	// r.Trailers. Before it waits, what is held back of a reply in a hurry is
	// sent to the client. An error is ErrLeft, or tells that the reply broke
	// off, which has been logged.
	Next() (Piece, error)
	// Left is how many bytes are still to come: 0 after the last piece, -1
	// while that is not known.
	Left() int64
	// Describe notes in r.Proxying where the reply comes from, for the error
	// log.
	Describe()
	// Close ends the use of the body; what was not taken is not wanted.
	Close()
}

// Piece is a part of a body: bytes, or a part of a file.
type Piece struct {
	Bytes          []byte
	Held           bool     // Bytes last until Close: nobody waits for them to be taken
	File           *os.File // nil: Bytes
	Offset, Length int64    // of the file's part
}

// ErrLeft is the end of a body whose client has gone away.
var ErrLeft = errors.New("client left")
