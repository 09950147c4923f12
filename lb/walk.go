package lb

import (
	"io"
	"os"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// walk is one request on its way through the chain, whatever protocol brought
// it. What differs between protocols lies behind request.Out and
// request.BodySource.
type walk struct {
	r    request.Request
	c    *conn
	gen  *generation
	site *address // of the generation, as is sni
	sni  *server  // the virtual server of the handshake; nil: none
	srv  *server
	loc  *location

	paged   bool // an error page is being made
	refused bool // the request was not well-formed
	tunnel  bool // the client's side has left HTTP
	cutOff  bool // the request does not come to its end, and nobody is answered
	reset   bool // the connection is closed so that the kernel forgets it at once
	left    bool // the client went while the reply was held to limit_rate
	counted bool // as a request in work
	pacer   pacer
}

// begin makes ready for a request that came by the connection; conn is what
// the request may know of it.
func (w *walk) begin(c *conn, conn *request.Conn, g *generation) {
	w.c, w.gen, w.site, w.sni, w.srv, w.loc = c, g, c.site, c.sni, nil, nil
	w.paged, w.refused, w.tunnel, w.cutOff, w.reset, w.left = false, false, false, false, false, false
	w.pacer = pacer{}
	w.r.Reset(conn, g.slots)
	w.r.Start = time.Now()
	w.r.Log = c.site.def.own.log
}

// count counts the request as one in work.
func (w *walk) count() {
	w.counted = true
	w.c.b.busy.Add(1)
}

// uncount ends the counting of a request that count has counted; others it leaves
// as they are.
func (w *walk) uncount() {
	if w.counted {
		w.counted = false
		w.c.b.busy.Add(-1)
	}
}

// leave lets the generation go.
func (w *walk) leave() {
	switch {
	case w.gen == nil:
		return
	case w.tunnel:
		w.gen.leaveTunnel()
	default:
		w.gen.release()
	}
	w.gen = nil
}

// forget drops what belongs to one connection only.
func (w *walk) forget() { w.c, w.gen, w.site, w.sni, w.srv, w.loc = nil, nil, nil, nil, nil, nil }

// refuse answers a request that is not well-formed.
func (w *walk) refuse(bad *request.Error) {
	w.srv, w.loc = w.site.def, w.site.def.own
	r := &w.r
	r.ServerName, r.Site, r.Log = w.srv.name, w.loc, w.loc.log
	r.LogError(errorlog.Info, bad.Error())
	r.Reply.Close = true
	r.Body.Framing = request.FramingNone
	w.refused = true
	if w.cutOff {
		r.Reply.Status, r.Reply.Broken = bad.Status, true
		return
	}
	w.reject(bad.Status)
}

// timedOut notes that the client was too slow, or gets no answer (444), for
// reset_timedout_connection.
func (w *walk) timedOut() { w.reset = w.reset || w.loc.conf.ResetTimedoutConnection }

// finalize makes the status and the fields of a reply final; every Begin
// calls it.
func (w *walk) finalize() {
	r := &w.r
	p := &r.Reply
	if r.ErrStatus != 0 {
		p.Status, p.Reason = r.ErrStatus, nil
	}
	if r.Verb == request.VerbHead || p.Status == 204 || p.Status == 304 || p.Status < 200 {
		p.NoBody = true
	}
	w.loc.decorate(w)
}

// serverToken is the value of the Server field.
func (w *walk) serverToken() []byte {
	if w.loc.usualToken {
		return w.c.b.serverToken
	}
	switch token := w.loc.serverTokens.Value(&w.r); string(token) {
	case tokenOn, tokenBuild: // by a variable
		return w.c.b.serverToken
	case "off":
		return tokenOff
	default:
		return token
	}
}

// The values of server_tokens that let weir tell its version.
const tokenOn, tokenBuild = "on", "build"

var tokenOff = []byte("weir")

// checkSize bounds a body whose length was not announced.
func (w *walk) checkSize(n int) error {
	limit := w.loc.conf.ClientMaxBodySize
	if limit == 0 || w.r.Body.Received+int64(n) <= limit {
		return nil
	}
	w.r.LogError(errorlog.Error, "client intended to send too large chunked body: "+
		itoa(w.r.Body.Received)+"+"+itoa(int64(n))+" bytes")
	return refusal(413, "")
}

func refusal(status int, reason string) *request.Error {
	return &request.Error{Source: request.Downstream, Status: status, Reason: reason}
}

// copyFile sends a part of a file through memory.
func (w *walk) copyFile(f *os.File, offset, n int64) error {
	buf := w.c.b.getJob()
	defer w.c.b.putJob(buf)
	for n > 0 {
		m, err := f.ReadAt(buf.in[:min(n, int64(len(buf.in)))], offset)
		if m == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if err := w.r.Out.Write(buf.in[:m]); err != nil {
			return err
		}
		offset, n = offset+int64(m), n-int64(m)
	}
	return nil
}
