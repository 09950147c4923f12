package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Protocols of the port, as ALPN names them.
const (
	protocolCall = "weir-call/1"
	protocolRaft = "weir-raft/1"
	protocolSync = "weir-sync/1"
)

// Options say what a link is.
type Options struct {
	Listener net.Listener // the port; the link closes it
	Identity *Identity
	Cluster  string    // its name
	Secrets  []*Secret // the first signs this node's certificate, all are accepted

	// Allow tells whether a connection that comes from an address may be looked
	// at. It may be called by many goroutines; nil: everybody may.
	Allow func(netip.Addr) bool
	// Admit decides whether a node may connect, and be connected to: an error
	// says why not. The certificate has been checked; what nobody else checks is
	// whether this key is that node's. It may be called at any time, by many
	// goroutines. Nil admits all.
	Admit func(Peer) error
	// AdmitCaller decides instead of Admit whether a node may call this one; the
	// handlers see which node it is. Nil: Admit does.
	AdmitCaller func(Peer) error

	// Handlers answer the calls of other nodes, by verb. An answer of a call
	// may get lost and the call be made again: handlers are idempotent.
	Handlers map[string]Handler

	// Log hears one line for each kind of refusal, without a level: a warning.
	Log func(text string)
}

// Handler answers one call. The context ends when the caller no longer waits.
type Handler func(ctx context.Context, from Peer, body []byte) ([]byte, error)

// Link is one node's end of all connections to the others. Its methods may be
// called by many goroutines.
type Link struct {
	o        Options
	refusals *refusals
	raft     *Stream
	sync     *Stream
	pool     pool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	served sync.WaitGroup

	outside atomic.Uint64

	mu          sync.Mutex
	authorities []*authority
	certificate tls.Certificate
	handshakes  []net.Conn         // in progress, the oldest first
	conns       map[*Conn]struct{} // whose handshakes are done, of either direction
	closed      bool
}

// Open returns a link that accepts connections.
func Open(o Options) (*Link, error) {
	if o.Listener == nil || o.Identity == nil || o.Cluster == "" || len(o.Secrets) == 0 || o.Log == nil {
		return nil, errors.New("link: no Listener, Identity, Cluster, Secrets or Log")
	}
	if o.Admit == nil {
		o.Admit = func(Peer) error { return nil }
	}
	if o.AdmitCaller == nil {
		o.AdmitCaller = o.Admit
	}
	l := &Link{o: o, refusals: newRefusals(o.Log), conns: map[*Conn]struct{}{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.raft, l.sync = newStream(l, protocolRaft), newStream(l, protocolSync)
	l.pool.idle = map[string][]*Conn{}
	if err := l.SetSecrets(o.Secrets); err != nil {
		l.cancel()
		return nil, err
	}
	l.served.Go(l.accept)
	return l, nil
}

// SetSecrets changes the cluster secrets: the first signs this node's
// certificate from now on, all are accepted. Connections of nodes go on.
func (l *Link) SetSecrets(secrets []*Secret) error {
	var list []*authority
	for _, s := range secrets {
		a, err := newAuthority(s)
		if err != nil {
			return err
		}
		list = append(list, a)
	}
	certificate, err := list[0].issue(l.o.Cluster, l.o.Identity)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.authorities, l.certificate = list, certificate
	return nil
}

// Self is this node, as others see it.
func (l *Link) Self() Peer { return Peer{ID: l.o.Identity.ID, Key: l.o.Identity.PublicKey()} }

// Outside is how many connections have been refused because of the addresses that
// they came from.
func (l *Link) Outside() uint64 { return l.outside.Load() }

// Raft carries the connections of the agreed log.
func (l *Link) Raft() *Stream { return l.raft }

// Sync carries the connections of gossip.
func (l *Link) Sync() *Stream { return l.sync }

// Close closes the port and every connection, and waits for the handlers.
func (l *Link) Close() error {
	l.cancel()
	err := l.o.Listener.Close()
	l.mu.Lock()
	l.closed = true
	handshakes, conns := l.handshakes, l.conns
	l.handshakes, l.conns = nil, map[*Conn]struct{}{}
	l.mu.Unlock()
	for _, c := range handshakes {
		_ = c.Close() // what it says of a connection that is given up matters to nobody
	}
	for c := range conns {
		_ = c.Conn.Close()
	}
	l.served.Wait()
	return err
}

// Recheck closes the connections of nodes that are admitted no longer.
func (l *Link) Recheck() {
	l.mu.Lock()
	var list []*Conn
	for c := range l.conns {
		list = append(list, c)
	}
	l.mu.Unlock()
	for _, c := range list {
		if err := c.admit(c.peer); err != nil {
			l.refusals.add(hostOf(c), err, time.Now())
			_ = c.Close()
		}
	}
}

// tlsConfig is that of one handshake, with the secrets as they are now. Who the
// other end is stands in peer when the handshake has succeeded.
func (l *Link) tlsConfig(peer *Peer, protocols ...string) *tls.Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	authorities, cluster := l.authorities, l.o.Cluster
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{l.certificate},
		NextProtos:             protocols,
		SessionTicketsDisabled: true, // each connection proves anew who it is
		ClientAuth:             tls.RequireAnyClientCert,
		// Names of hosts say nothing here: peerOf checks who signed the
		// certificate, and which node of which cluster it names.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			*peer, err = peerOf(s.PeerCertificates, authorities, cluster)
			return err
		},
	}
}

// keep registers a connection whose handshake is done, so that Close ends it.
func (l *Link) keep(c *Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.conns[c] = struct{}{}
	return nil
}

func (l *Link) drop(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}
