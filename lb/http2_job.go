package lb

import (
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// streamJob is everything that one request of HTTP/2 needs while it is in
// work.
type streamJob struct {
	walk
	stream http2.ServerStream
	client request.Conn // what the request may know of its connection, as it was at its begin

	trailing bool // add_trailer has something for the reply
}

func newStreamJob() *streamJob {
	j := &streamJob{}
	j.stream.Request, j.stream.Job = &j.r, j
	return j
}

// begin makes the job ready for a request of the connection.
func (j *streamJob) begin(c *conn, g *generation) {
	j.walk.begin(c, &j.client, g)
	j.r.Out = j
	j.r.Body.Source = j
	j.trailing = false
}

// serve takes one request through the chain and to the log.
func (j *streamJob) serve() {
	defer j.survive()
	j.c.b.requests.Add(1)
	j.count()
	if bad := j.check(); bad != nil {
		j.refuse(bad)
	} else {
		j.handle()
	}
	j.uncount()
	j.finish()
}

// check looks at the head as a whole, by the rules of HTTP/1.
func (j *streamJob) check() *request.Error {
	if j.stream.TooLarge {
		return refusal(494, "client sent too large request while reading client request headers")
	}
	if r := &j.r; r.Verb == request.VerbOptions && string(r.Head.Bytes(r.Target)) == "*" {
		return refusal(400, "client sent invalid :path header: \"*\"") // as over HTTP/1, weir does not answer for all of itself
	}
	return http1.CheckRequest(&j.r)
}

// finish writes the log and lets the generation go.
func (j *streamJob) finish() {
	r := &j.r
	switch {
	case j.tunnel:
		if j.stream.Write(nil, true) == nil {
			_ = j.stream.Finish() // a client that has gone needs no end
		}
	case errors.Is(j.stream.Err(), http2.ErrStalled):
		r.LogError(errorlog.Info, "client timed out (110: Connection timed out) while sending to client")
	case j.left:
		r.LogError(errorlog.Info, errLeft.Error())
	}
	r.Reply.Sent = j.stream.Sent()
	j.log()
	r.Body.Release()
	j.leave()
}

// survive keeps a fault in weir itself from ending more than the request that
// met it.
func (j *streamJob) survive() {
	if fault := recover(); fault != nil {
		j.c.b.options.Log.Logf(errorlog.Alert, j.client.Number, "request given up after a fault in weir: %v\n%s", fault, debug.Stack())
		j.uncount()
	}
}

// Next implements request.BodySource.
func (j *streamJob) Next() ([]byte, error) {
	if j.r.Body.Expect {
		j.r.Body.Expect = false
		if err := j.Interim(100, nil); err != nil {
			return nil, refusal(499, "client closed connection")
		}
	}
	j.stream.BodyTimeout = j.loc.conf.ClientBodyTimeout
	p, err := j.stream.Read()
	switch {
	case err == nil:
		return p, j.checkSize(len(p))
	case err == io.EOF:
		return nil, err
	case err == http2.ErrStalled:
		j.cutOff = true
		return nil, refusal(408, "client timed out (110: Connection timed out)")
	case err == http2.ErrCancelled: // by ourselves: the client waits for its answer
		return nil, refusal(400, "body given up")
	}
	j.cutOff = true
	return nil, refusal(400, "client prematurely closed stream")
}

// Whole implements request.BodySource.
func (j *streamJob) Whole() ([]byte, bool) {
	if j.r.Body.Framing != request.FramingLength {
		return nil, false
	}
	return j.stream.ReadWhole()
}

// Cancel implements request.BodySource.
func (j *streamJob) Cancel() { j.stream.CancelRead() }

// Begin implements request.Out.
func (j *streamJob) Begin() error {
	j.finalize()
	r := &j.r
	p := &r.Reply
	if j.stream.Connect && p.Status >= 200 && p.Status < 300 {
		// To the client this would mean that the other protocol is spoken now.
		p.Status, p.Reason = 502, nil
	}
	j.tune()
	j.trailing = !p.NoBody && len(j.loc.trailers) > 0 && j.loc.trails(p.Status)
	o := http2.HeadOptions{
		Server: j.serverToken(), Date: j.c.b.clock.date(),
		End: p.NoBody || p.Length == 0 && !j.trailing,
	}
	if !p.LastModified.IsZero() {
		o.LastModified = r.Arena().Keep(http1.AppendDate(r.Arena().Take(), p.LastModified))
	}
	p.HeadSent = true
	return j.stream.WriteHead(&o)
}

// mostHeld bounds what proxy_buffers may make a stream keep for its client: a
// connection has many.
const mostHeld = 256 << 10

// tune tells the stream what the location says of sending.
func (j *streamJob) tune() {
	conf := j.loc.conf
	j.stream.SendTimeout, j.stream.Chunk = conf.SendTimeout, int(conf.HTTP2ChunkSize)
	buffers := &conf.ProxySettings.Buffers
	j.stream.Hold = min(buffers.Number*int(buffers.Size), mostHeld)
}

// last tells whether the body is complete with what was made of it.
func (j *streamJob) last() bool {
	p := &j.r.Reply
	return p.Length >= 0 && p.BodySent >= p.Length && !j.trailing
}

// Write implements request.Out.
func (j *streamJob) Write(p []byte) error {
	switch {
	case j.r.Reply.NoBody || len(p) == 0:
		return nil
	case j.r.RateLimit > 0:
		return j.writePaced(j, p)
	}
	return j.write(p)
}

func (j *streamJob) write(p []byte) error {
	j.r.Reply.BodySent += int64(len(p))
	return j.stream.Write(p, j.last())
}

// sent implements pacedOut.
func (j *streamJob) sent() int64 { return j.stream.Sent() }

// pause implements pacedOut.
func (j *streamJob) pause(d time.Duration) error {
	if err := j.Flush(); err != nil {
		return err
	}
	if err := j.stream.Pause(d); err != nil {
		j.left = true
		return errLeft
	}
	return nil
}

// Offer is Write without waiting for the client, for upstreams that must not
// be held up by it.
func (j *streamJob) Offer(p []byte) (behind bool, err error) {
	if j.r.Reply.NoBody || len(p) == 0 {
		return false, nil
	}
	j.r.Reply.BodySent += int64(len(p))
	return j.stream.Offer(p, j.last())
}

// Flush implements request.Out.
func (j *streamJob) Flush() error {
	return j.stream.Flush()
}

// End implements request.Out.
func (j *streamJob) End(trailers *request.Head) error {
	r := &j.r
	if r.Reply.NoBody {
		r.Reply.Completed = true
		return j.stream.Err()
	}
	if j.trailing || trailers != nil {
		trailers = j.loc.addTrailers(r, trailers)
		r.Reply.Trailers = trailers
	}
	err := j.stream.Write(nil, trailers == nil)
	if err == nil {
		err = j.stream.Finish()
	}
	if err == nil && trailers != nil {
		err = j.stream.WriteTrailers(trailers)
	}
	r.Reply.Completed = err == nil
	return err
}

// Interim implements request.Out.
func (j *streamJob) Interim(status int, h *request.Head) error {
	return j.stream.WriteInterim(status, h)
}

// SendFile implements request.Out.
func (j *streamJob) SendFile(f *os.File, offset, n int64) error {
	if j.r.Reply.NoBody || n == 0 {
		return nil
	}
	return j.copyFile(f, offset, n)
}

// Watch implements request.Out.
func (j *streamJob) Watch(gone func()) { j.stream.Watch(gone) }

// Unwatch implements request.Out.
func (j *streamJob) Unwatch() { j.stream.Unwatch() }

// Tunnel implements request.Out: an upstream of HTTP/1 has switched protocols,
// which a client that asked by extended CONNECT (RFC 8441) is told by 200.
func (j *streamJob) Tunnel() (request.Tunnel, bool) {
	if !j.stream.Connect {
		return nil, false
	}
	p := &j.r.Reply
	p.Status, p.NoBody, p.Length = 200, false, -1
	j.loc.decorate(&j.walk)
	if p.Head != nil {
		p.Head.SkipName([]byte("Sec-WebSocket-Accept"))
	}
	j.tune()
	p.HeadSent = true
	if err := j.stream.WriteHead(&http2.HeadOptions{Server: j.serverToken(), Date: j.c.b.clock.date()}); err != nil {
		return nil, false
	}
	if err := j.stream.Flush(); err != nil {
		return nil, false
	}
	j.gen.enterTunnel()
	j.tunnel = true
	return &streamTunnel{&j.stream}, true
}

// streamTunnel is a stream that carries another protocol.
type streamTunnel struct{ s *http2.ServerStream }

// Each implements request.Tunnel.
func (t *streamTunnel) Each(take func(p []byte) error, alive func() (until int64)) error {
	for {
		p, err := t.s.ReadWithin(time.Duration(alive() - wire.Now()))
		switch {
		case err == nil:
			err = take(p)
		case err == io.EOF:
			return nil
		case err == http2.ErrStalled && alive() > wire.Now():
			continue
		}
		if err != nil {
			return err
		}
	}
}

// Write implements request.Tunnel.
func (t *streamTunnel) Write(p []byte) (int, error) {
	if err := t.s.Write(p, false); err != nil {
		return 0, err
	}
	return len(p), t.s.Flush()
}

// Interrupt implements request.Tunnel.
func (t *streamTunnel) Interrupt() { t.s.CancelRead() }
