package health

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// mostBody is how much of a reply's body is read at most, and looked at.
const mostBody = 256 << 10

// Question is what a probe sends, and how; all places of one check share it.
// It implements Prober.
type Question struct {
	Head    []byte // request line and fields as HTTP/1.1 has them
	Body    []byte // only over HTTP/2
	HTTP2   bool
	Profile *connect.Profile

	// Connect bounds the making of a connection, Send a write that waits for
	// room, Read the TLS handshake and, all together, the reply.
	Connect, Send, Read time.Duration

	Limits http1.Limits // of the reply's head
	Slots  int          // memos that the variables of Answer need
	Keep   bool         // the connection is to serve the next probe, too
	Answer Answer
}

// Answer tells good replies from bad ones. It is used by many goroutines at a
// time.
type Answer interface {
	// WantsBody reports whether the body is looked at.
	WantsBody() bool
	// Test looks at a reply: r.Upstream, r.Trailers, its status in r.Attempts,
	// and the begin of its body. The reason is ReasonNone for a good one.
	Test(r *request.Request, body []byte) (why Reason, detail string)
}

// asking is the state of one probe.
type asking struct {
	q    *Question
	ctx  context.Context
	at   *Place
	r    request.Request
	conn request.Conn
	line http1.ReplyLine
	body []byte

	decoder http1.Decoder
}

var askings = sync.Pool{New: func() any { return new(asking) }}

// Probe implements Prober.
func (q *Question) Probe(ctx context.Context, p *Place) Finding {
	x := askings.Get().(*asking)
	defer x.free()
	x.q, x.ctx, x.at = q, ctx, p
	x.r.Reset(&x.conn, q.Slots)
	x.r.Start = time.Now()
	x.r.Attempts = append(x.r.Attempts, request.Attempt{Addr: p.peer.Text, ServerName: p.peer.Server, Queue: -1, Connect: -1, Header: -1, Response: -1})
	began := wire.Now()
	ask := x.overHTTP1
	if q.HTTP2 {
		ask = x.overHTTP2
	}
	if err := ask(); err != nil {
		return Finding{Reason: reasonOf(err), Detail: detailOf(err)}
	}
	a := &x.r.Attempts[0]
	a.Response, a.Length = time.Duration(wire.Now()-began), int64(len(x.body))
	why, detail := q.Answer.Test(&x.r, x.body)
	return Finding{Reason: why, Detail: detail}
}

// free gives the state back for the next probe.
func (x *asking) free() {
	x.q, x.ctx, x.at = nil, nil, nil
	x.body = x.body[:0]
	x.r.Reset(&x.conn, 0)
	if cap(x.body) > 64<<10 {
		x.body = nil
	}
	askings.Put(x)
}

// append takes a piece of the body, and reports whether more is wanted.
func (x *asking) append(piece []byte) bool {
	x.body = append(x.body, piece[:min(len(piece), mostBody-len(x.body))]...)
	return len(x.body) < mostBody
}

// malformed is a reply that breaks the rules, and how.
type malformed string

func (m malformed) Error() string { return string(m) }

// reasonOf finds the reason in an error.
func reasonOf(err error) Reason {
	var bad malformed
	var broken *request.Error
	if f, ok := errors.AsType[*http2.Failure](err); ok {
		return reasonOfFailure(f)
	}
	if _, ok := errors.AsType[*connect.HandshakeError](err); ok {
		return ReasonTLS
	}
	switch {
	case errors.Is(err, wire.ErrTimeout):
		return ReasonTimeout
	case errors.As(err, &bad), errors.As(err, &broken):
		return ReasonMalformed
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonClosed
	}
	return ReasonUnreachable
}

// reasonOfFailure is reasonOf for an exchange over HTTP/2.
func reasonOfFailure(f *http2.Failure) Reason {
	if f.Malformed {
		return ReasonMalformed
	}
	return ReasonClosed
}

// detailOf is what the log is told beyond the reason.
func detailOf(err error) string {
	var system syscall.Errno
	var worded errno.Error
	switch {
	case errors.Is(err, wire.ErrTimeout), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ""
	case errors.As(err, &worded):
		return err.Error()
	case errors.As(err, &system):
		return errno.Text(system)
	}
	return err.Error()
}
