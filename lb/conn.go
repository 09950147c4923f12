package lb

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/listen"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// conn is one client's connection.
type conn struct {
	request.Conn
	wire.Stream
	b      *Balancer
	socket *listen.Socket
	site   *address // of the generation seen last
	gen    uint64   // its number
	sni    *server  // the virtual server of the handshake, as of the generation seen last
	asked  *asked   // what led to it; nil before a handshake
	opened int64    // wire.Now

	// keepFor is the keepalive_timeout of the last request's location.
	keepFor time.Duration

	job     *job                  // the request in work or partly received; nil while idle
	ready   func(fd uintptr) bool // c.readable, bound once
	fd      uintptr               // of the Serve callback, if one runs:
	inside  bool
	aside   bool // the request must be served outside of the callback
	strayed bool // a request was, where other goroutines may use the connection
	ended   bool // no further request is served
	resting bool // the wait for the next request has begun, and its end is set
	// prefaced: the client has begun with the preface of HTTP/2
	prefaced bool
	reset    bool // it is closed so that the kernel forgets it at once
	// misdirected: plain HTTP came where TLS is spoken
	secured, misdirected bool
	state                atomic.Int32 // busy, idle or woken
}

// asked is what a client said in its handshake.
type asked struct {
	name  []byte      // of the server; nil: none
	hello *cert.Hello // while the handshake is being made, if variables need it
}

// server returns the name, nil where there was none, nor a handshake.
func (a *asked) server() []byte {
	if a == nil {
		return nil
	}
	return a.name
}

// newConn wraps an accepted connection.
func (b *Balancer) newConn(nc net.Conn, socket *listen.Socket) (*conn, error) {
	c := &conn{b: b, socket: socket, opened: wire.Now()}
	c.Number = b.connections.Add(1)
	c.Start = time.Now()
	if err := c.Init(nc); err != nil {
		return nil, err
	}
	c.ready = c.readable
	accepted, ok := nc.(*listen.Conn)
	if ok {
		waited := accepted.Waited()
		c.opened, c.Start = c.opened-int64(waited), c.Start.Add(-waited)
	}
	if ok && accepted.Remote().IsValid() {
		c.Remote, c.Local = accepted.Remote(), accepted.Local()
		c.RemoteText = c.Remote.Addr().AppendTo(nil)
		return c, nil
	}
	c.RemoteText = []byte("unix:")
	if u, ok := nc.LocalAddr().(*net.UnixAddr); ok {
		c.UnixPath = u.Name
	}
	return c, nil
}

// locate finds the virtual servers of the connection's address in a
// generation; false where that has none, so that the connection must end.
func (c *conn) locate(g *generation) bool {
	if c.gen == g.number {
		return true
	}
	site := g.site(c.socket, c.Stream.Conn().LocalAddr())
	if site == nil || c.site != nil && site.secure() != c.secured {
		return false
	}
	if c.site != nil && c.sni != nil {
		next := site.named(c.asked.server())
		if !c.sni.sameClientRules(next) {
			return false
		}
		c.sni = next
	}
	c.site, c.gen, c.secured = site, g.number, site.secure()
	return true
}

// firstByte waits for the first byte of a connection and leaves it there. Until
// then the connection is idle: what ends idle ones ends it, with
// wire.ErrInterrupted.
func (c *conn) firstByte() (byte, error) {
	c.ReadWithin(wire.Now(), c.site.def.conf.ClientHeaderTimeout)
	for {
		c.pause()
		first, err := c.PeekByte()
		c.resume()
		if err != wire.ErrInterrupted || !c.stays() {
			return first, err
		}
	}
}

// proxyHeader reads the header of the PROXY protocol.
func (c *conn) proxyHeader() error {
	if _, err := c.firstByte(); err == wire.ErrInterrupted || err == wire.ErrTimeout {
		return err
	}
	h, err := listen.ReadProxy(c.Stream.Conn(), c.site.def.conf.ClientHeaderTimeout)
	c.DeadlineLost()
	if err != nil {
		return err
	}
	c.Proxied = &request.Proxied{Source: h.Source, Destination: h.Destination}
	return nil
}

// handshake speaks TLS with the server that the client names.
func (c *conn) handshake() error {
	first, err := c.firstByte()
	if err != nil {
		return err
	}
	if first >= 'A' && first <= 'z' { // a method, where a record begins with 22
		c.misdirected = true
		return nil
	}
	if c.site.notesHello {
		c.NoteFirst(cert.HelloHead)
	}
	if err := c.StartTLS(c.site.front(c), true, c.site.def.conf.ClientHeaderTimeout); err != nil {
		return err
	}
	c.b.trimmer.note()
	state := c.Stream.TLS().ConnectionState()
	if c.sni == nil {
		c.sni = c.site.def
	}
	info := cert.NewInfo(&state, c.sni.tls.Verify(&state))
	if c.asked != nil && c.asked.hello != nil {
		info.Hello, c.asked.hello = c.asked.hello.WithSession(c.First()), nil
	}
	c.Conn.TLS = tlsInfo{info}
	return nil
}

// complain logs what ended a connection before its request was read.
func (c *conn) complain(level errorlog.Level, format string, args ...any) {
	g := c.b.acquire()
	defer g.release()
	log := c.b.options.Log
	if c.locate(g) { // else its address was dropped meanwhile, and its log with it
		log = c.site.def.own.log
	}
	if log.Enabled(level) {
		log.Log(level, c.Number, fmt.Sprintf(format, args...)+", client: "+string(c.RemoteText)+", server: "+c.socket.Name())
	}
}

// rest prepares for the wait for the next request: everything that only a
// request needs is given back.
func (c *conn) rest(now int64) {
	if c.job != nil {
		c.b.putJob(c.job)
		c.job = nil
	}
	c.Rest()
	if !c.resting { // else the wait goes on
		c.resting = true
		c.ReadWithin(now, c.keepFor)
		c.OnPause(now, probeAfter, nil)
	}
	c.pause()
}

// The states of a connection, as others may see them.
const (
	busy  int32 = iota // a request is in work, or the first one has not begun
	idle               // nothing is lost when the connection is woken
	woken              // it was, and looks whether it may stay
)

// pause says that the connection may be woken. What would have woken it a
// moment ago does so now.
func (c *conn) pause() {
	c.state.Store(idle)
	if c.b.draining.Load() || c.b.current.Load().number != c.gen {
		c.wake()
	}
}

// resume says that a request has begun. If the connection was woken in this
// very moment the request comes first.
func (c *conn) resume() {
	if c.state.Swap(busy) == woken {
		c.b.mu.Lock() // behind the Interrupt that belongs to the waking
		c.ClearInterrupt()
		c.b.mu.Unlock()
	}
}

// wake makes an idle connection look whether it may stay; the balancer's lock
// must be held by callers on other goroutines.
func (c *conn) wake() {
	if c.state.CompareAndSwap(idle, woken) {
		c.Interrupt()
	}
}

// stays tells whether a connection that was woken goes on waiting.
func (c *conn) stays() bool {
	if c.b.draining.Load() {
		return false
	}
	g := c.b.acquire()
	defer g.release()
	return c.locate(g)
}

// probeAfter is how long a connection is idle before it is read from once
// more: a client that ended its side together with its last request causes no
// event.
const probeAfter = time.Second

// close ends the connection; with linger what the client still sends is read
// for a while, since closing on unread bytes would reset the connection and
// could take the reply with it.
func (c *conn) close(linger *location) {
	if linger != nil && linger.conf.LingeringTimeout > 0 {
		if err := c.CloseWrite(); err == nil {
			c.discard(linger.conf.LingeringTime, linger.conf.LingeringTimeout)
		}
	}
	if accepted, ok := c.Stream.Conn().(*listen.Conn); ok && c.reset {
		_ = accepted.ResetOnClose() // else it is only closed
	}
	if c.strayed { // in case another goroutine still waits for it
		_ = c.Close() // whatever was to be sent has been sent
		return
	}
	_ = c.Retire() // likewise
}

func (c *conn) discard(total, silence time.Duration) {
	c.ClearInterrupt() // of an upload that was given up
	buf := c.b.getJob()
	defer c.b.putJob(buf)
	for until := wire.Now() + int64(total); wire.Now() < until; {
		c.ReadWithin(wire.Now(), silence)
		if _, err := c.Read(buf.in); err != nil {
			return
		}
	}
}
