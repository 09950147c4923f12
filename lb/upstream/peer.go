package upstream

import (
	"crypto/md5"
	"encoding/hex"
	"math"
	"net/netip"
	"sync/atomic"
	"time"
)

// Addr is where a peer listens: an IP address and port, or, when Path is not
// empty, a unix socket.
type Addr struct {
	AddrPort netip.AddrPort
	Path     string
}

// String returns the address as nginx prints it: "10.0.0.1:80", "[::1]:80"
// or "unix:/run/app.sock".
func (a Addr) String() string {
	if a.Path != "" {
		return "unix:" + a.Path
	}
	return a.AddrPort.String()
}

// Server is one server line of an upstream with the addresses its name stands
// for. Each address becomes one peer. No field has a hidden default: the
// caller fills in nginx's.
type Server struct {
	// ID names the line across generations; empty means the name does.
	ID string
	// Name is the server as written, port included only if written.
	Name  string
	Addrs []Addr

	// Question is what name servers are asked about the line, whose Addrs
	// then come from their answers; zero: Addrs are fixed. Port is that of
	// addresses that come without one.
	Question Question
	Port     uint16
	// Line is the id of the line where the server is only a part of it: one of
	// its SRV records. Zero: LineID.
	Line ServerID

	Weight      int           // at least 1
	MaxConns    int           // requests in work at most; 0: no limit
	MaxFails    int           // failures that shut the peer out; 0: never
	FailTimeout time.Duration // in whole seconds, the rest is cut off
	SlowStart   time.Duration // from turning usable to the full weight; 0: at once
	Backup      bool
	Down        bool   // written in the configuration
	Drain       bool   // written in the configuration: only bound requests
	Route       string // sticky id; empty: MD5 of the address
}

// identity is what tells the line from others over all generations.
func (s *Server) identity() string {
	if s.ID != "" {
		return s.ID
	}
	return s.Name
}

// Peer is one address of an upstream server in one Pool. Its fields do not
// change; what it experiences is kept in a record shared with the same peer of
// the Pools before and after. A Peer may be used by many goroutines.
type Peer struct {
	Server string // the server as written
	Addr   Addr
	Text   string // Addr rendered once, for logs and $upstream_addr
	SID    string // sticky id: the route, or the hex MD5 of Text
	ID     ServerID
	Line   ServerID // id of the line it belongs to, Server.LineID
	Backup bool
	plain  bool // Server.plain

	slot     *slot
	resident *resident
	shared   *shared
	upstream string
	facts    Facts // but for Unavail
	admit    admission
	maxConns int32 // noLimit for none

	weight    int32 // as written; the slot's grows after a slow start
	slowStart int64 // ns
}

// slot is what a method must know of a peer, packed so that a walk over a
// thousand of them stays in the cache. It does not change, but for the weight,
// which the upstream's lock guards where peers start slowly.
type slot struct {
	hot         *hot
	weight      int32
	room        int32 // max_conns or noLimit; 0 if not every request is admitted
	failLimit   int32 // max_fails or noLimit
	failTimeout int32 // seconds
}

// hot is the part of a peer's record that picking reads and writes, packed like
// slot. The upstream's lock guards it.
type hot struct {
	checked int64 // seconds: start of the period fails are counted in
	conns   int32 // requests in work
	fails   int32 // failures in the current period
	// steps are the averages of resident.times rounded by cluster.
	steps [2]int16
}

// longAgo stands for "never" in checked and accessed. nginx writes 0 there and
// compares it with the time since 1970; our clock may start at 0.
const longAgo = math.MinInt64 / 4

// resident is the record of a peer that outlives generations. The upstream's
// lock guards it, but for conns and retired.
type resident struct {
	hot      *hot
	identity identity
	conns    atomic.Value // the connector's idle connections
	retired  atomic.Bool
	accessed int64    // seconds: the last failure
	usable   int64    // ns: since when it starts slowly; longAgo: it does not
	doubted  int64    // ns: when a failure was told as a suspicion
	times    [2]int64 // moving averages in ms by Measure.index; 0: none yet
	inflight *inflight
	turn     *turn
	loads    *loads // of the group in the pool in use, where its position is:
	at       int32
	counters counters
}

// peerID returns the name of the record's peer in an upstream.
func (r *resident) peerID(upstream string) PeerID {
	return PeerID{Upstream: upstream, Server: r.identity.line, Addr: r.identity.addr}
}

// moved says that something happened to the peer on which its load depends.
func (r *resident) moved() { r.loads.note(r.at) }

// identity tells whether a peer of a new Pool is one of the old Pool. nth
// counts equal lines, which are different peers.
type identity struct {
	line, addr, route string
	nth               int
}

// counters are what the status shows of a peer beyond the hot record.
type counters struct {
	requests  uint64
	responses [6]uint64 // by first digit of the status; 0: none
	sent      uint64
	received  uint64
	failures  uint64
	unavail   uint64
	downtime  int64 // ns, closed periods only
	downstart int64 // ns; valid while out
	out       bool  // shut out by failures now
	selected  int64 // ns
}

// Conns returns what SetConns stored, nil before. It is the connector's place
// for the idle connections of this peer and survives reloads with it.
func (p *Peer) Conns() any { return p.resident.conns.Load() }

// SetConns stores v for Conns unless something is stored already, and returns
// what is stored then. All values must be of one type.
func (p *Peer) SetConns(v any) any {
	if p.resident.conns.CompareAndSwap(nil, v) {
		return v
	}
	return p.resident.conns.Load()
}

// Same reports whether p and q are one peer in two pools of an upstream.
func (p *Peer) Same(q *Peer) bool { return p.resident == q.resident }

// Retired reports that the peer is no longer part of its upstream, so that its
// connections need not be kept. Requests in work still end normally.
func (p *Peer) Retired() bool { return p.resident.retired.Load() }

// open reports whether s can take any request at second now: all conditions
// but having been tried already.
func (s *slot) open(h *hot, now int64) bool {
	return h.conns < s.room && s.live(h, now)
}

// live reports whether s is not shut out by failures.
func (s *slot) live(h *hot, now int64) bool {
	return h.fails < s.failLimit || now-h.checked > int64(s.failTimeout)
}

// turn returns the ms from which on more than failTimeout has passed since
// checked: failures are forgiven then.
func (s *slot) turn() int64 {
	return max(0, s.hot.checked+int64(s.failTimeout)+1) * 1000
}

// access returns 0 for a peer that can take requests at time at (ns), else
// closed, as loader.load does.
func (s *slot) access(at int64) (load, until int64) {
	h := s.hot
	switch {
	case h.conns >= s.room:
		return closed, never
	case !s.live(h, at/int64(time.Second)):
		return closed, s.turn()
	}
	return 0, never
}

// routeID returns the sticky id of a peer: the route of its server line, else
// the lower-case hex MD5 of the address, which every node computes alike.
func routeID(route, addr string) string {
	if route != "" {
		return route
	}
	sum := md5.Sum([]byte(addr))
	return hex.EncodeToString(sum[:])
}
