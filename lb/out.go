package lb

import (
	"os"
	"time"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// outputSize is what is held back for the client: a head with a small body
// leaves in one write.
const outputSize = 16 << 10

// borrow takes the memory for what is held back. It is borrowed for the making
// of a reply only: requests that wait for a peer have none, so that the few
// buffers in use stay in the processor's cache however many requests there are.
func (j *job) borrow() {
	if j.lent == nil {
		j.lent = j.c.b.outputs.Get().(*[]byte)
		j.out = (*j.lent)[:0]
	}
}

// giveBack ends borrow; what was still held back is lost.
func (j *job) giveBack() {
	if j.lent == nil {
		return
	}
	if c := cap(j.out); c > cap(*j.lent) && c <= 2*outputSize { // chunks made it grow, and will again
		*j.lent = j.out
	}
	j.c.b.outputs.Put(j.lent)
	j.lent, j.out = nil, nil
}

// Begin implements request.Out.
func (j *job) Begin() error {
	r := &j.r
	p := &r.Reply
	j.finalize()
	mayChunk := !p.NoBody && r.Version >= request.HTTP11 && j.loc.conf.ChunkedTransferEncoding
	if mayChunk && len(j.loc.trailers) > 0 && j.loc.trails(p.Status) {
		p.Length = -1
	}
	j.chunked = mayChunk && p.Length < 0
	if p.Length < 0 && !p.NoBody && !j.chunked {
		p.Close = true // the body's end is the connection's
	}
	j.keep = j.mayKeep()
	j.c.keepFor = j.loc.keepaliveTimeout
	j.c.WriteWithin(j.loc.conf.SendTimeout)
	o := http1.HeadOptions{
		Server: j.serverToken(), Chunked: j.chunked, KeepAlive: j.keep, KeepAliveValue: j.loc.keepaliveHeader,
	}
	now := j.c.b.clock.said.Load()
	if o.Date = now.date; j.loc.usualToken {
		o.Lead = now.lead
	}
	j.borrow()
	j.out = http1.AppendReplyHead(j.out, r, &o)
	p.HeadSent = true
	return nil
}

// mayKeep tells whether the connection can serve another request.
func (j *job) mayKeep() bool {
	r, c, conf := &j.r, j.c, j.loc.conf
	switch {
	case r.Reply.Close || !http1.KeepAliveWanted(r) || c.b.draining.Load():
		return false
	case r.Body.Expect && !j.body.Done(): // the body may come or not: nobody can tell where the next request begins
		return false
	case j.loc.keepaliveTimeout <= 0 || c.Requests >= uint64(conf.KeepaliveRequests):
		return false
	case conf.KeepaliveTime > 0 && c.b.clock.mono.Load()-c.opened >= int64(conf.KeepaliveTime):
		return false
	}
	return !j.loc.refusesKeepalive(r)
}

// Write implements request.Out.
func (j *job) Write(p []byte) error {
	switch {
	case j.r.Reply.NoBody || len(p) == 0:
		return nil
	case j.r.RateLimit > 0:
		return j.writePaced(j, p)
	}
	return j.write(p)
}

// write takes bytes of the body, in a chunk of their own where the body is
// chunked.
func (j *job) write(p []byte) error {
	j.r.Reply.BodySent += int64(len(p))
	if j.chunked {
		j.out = http1.AppendChunkHead(j.out, len(p))
	}
	if err := j.put(p); err != nil {
		return err
	}
	if j.chunked {
		j.out = append(j.out, http1.ChunkTail...)
	}
	return nil
}

// put holds bytes back while there is room, and writes long ones uncopied.
func (j *job) put(p []byte) error {
	if len(j.out)+len(p) <= outputSize {
		j.out = append(j.out, p...)
		return nil
	}
	if n := outputSize - len(j.out); n > 0 { // a full first segment, with the head
		j.out = append(j.out, p[:n]...)
		p = p[n:]
	}
	if err := j.Flush(); err != nil {
		return err
	}
	if len(p) < outputSize/2 {
		j.out = append(j.out, p...)
		return nil
	}
	return j.send(p)
}

// Flush implements request.Out.
func (j *job) Flush() error {
	if len(j.out) == 0 && !j.c.Pending() {
		return nil
	}
	err := j.send(j.out)
	j.out = j.out[:0]
	return err
}

func (j *job) send(p []byte) (err error) {
	var n int
	if j.c.inside {
		n, err = j.c.WriteFrom(j.c.fd, p)
	} else {
		n, err = j.c.Stream.Write(p)
	}
	j.r.Reply.Sent += int64(n)
	return err
}

// End implements request.Out.
func (j *job) End(trailers *request.Head) error {
	if j.chunked {
		trailers = j.loc.addTrailers(&j.r, trailers)
		j.out = http1.AppendLastChunk(j.out, trailers)
		j.r.Reply.Trailers = trailers
	}
	j.r.Reply.Completed = true
	return j.Flush()
}

// Interim implements request.Out; clients of HTTP/1.0 do not know such replies.
func (j *job) Interim(status int, h *request.Head) error {
	if j.r.Version < request.HTTP11 {
		return nil
	}
	if err := j.Flush(); err != nil {
		return err
	}
	return j.send(http1.AppendInterimHead(nil, status, h))
}

// SendFile implements request.Out.
func (j *job) SendFile(f *os.File, offset, n int64) error {
	if j.r.Reply.NoBody || n == 0 {
		return nil
	}
	if n <= int64(cap(j.out)-len(j.out)) || j.chunked || j.r.RateLimit > 0 || !j.c.Plain() {
		return j.copyFile(f, offset, n)
	}
	fd := uintptr(0)
	if j.c.inside {
		fd = j.c.fd
	}
	sent, moved, err := j.c.SendFile(fd, j.out, f, offset, n)
	j.out = j.out[:0]
	j.r.Reply.Sent += int64(sent) + moved
	j.r.Reply.BodySent += moved
	return err
}

// Splice lets the kernel move n bytes of the body from an upstream's socket;
// see wire.Socket.SpliceFrom. It moves nothing where the bytes must be seen.
func (j *job) Splice(src *wire.Socket, n int64, patience time.Duration) (done wire.Splicing) {
	r := &j.r
	if r.Reply.NoBody || j.chunked || r.RateLimit > 0 || !j.c.Plain() {
		return done
	}
	if done.Peer = j.Flush(); done.Peer != nil {
		return done
	}
	fd := uintptr(0)
	if j.c.inside {
		fd = j.c.fd
	}
	done = j.c.SpliceFrom(src, n, patience, fd)
	r.Reply.Sent += done.Moved
	r.Reply.BodySent += done.Moved
	return done
}

// Watch implements request.Out.
func (j *job) Watch(gone func()) {
	if err := j.c.b.watcher.Watch(&j.c.Socket, gone); err != nil {
		j.r.LogError(errorlog.Alert, "epoll_ctl() failed ("+errno.Text(err)+")")
	}
}

// Unwatch implements request.Out.
func (j *job) Unwatch() { j.c.b.watcher.Unwatch(&j.c.Socket) }

// Tunnel implements request.Out.
func (j *job) Tunnel() (request.Tunnel, bool) {
	j.loc.decorate(&j.walk)
	o := http1.HeadOptions{Server: j.serverToken(), Date: j.c.b.clock.date()}
	j.borrow()
	j.out = http1.AppendReplyHead(j.out, &j.r, &o)
	j.r.Reply.HeadSent = true
	if err := j.Flush(); err != nil {
		return nil, false
	}
	j.giveBack()
	j.gen.enterTunnel()
	j.tunnel = true
	return &tunnel{j}, true
}

// tunnel is a client's connection after it left HTTP.
type tunnel struct{ j *job }

// Each implements request.Tunnel.
func (t *tunnel) Each(take func(p []byte) error, alive func() (until int64)) error {
	j := t.j
	if first := j.in[j.pos:j.end]; len(first) > 0 {
		j.pos = j.end
		if err := take(first); err != nil {
			return err
		}
	}
	return j.c.Each(take, alive)
}

// Write implements request.Tunnel.
func (t *tunnel) Write(p []byte) (int, error) { return t.j.c.Stream.Write(p) }

// Interrupt implements request.Tunnel.
func (t *tunnel) Interrupt() { t.j.c.Interrupt() }
