package gossip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	streamLimit  = 4 << 20 // bytes of one stream of the membership port: thousands of nodes
	streamsAtOne = 64      // such streams at a time
)

var errOversized = errors.New("stream is longer than any of ours")

// bounded is memberlist's transport with limits for what strangers can make it hold: it reads a stream into memory
// before it knows whether the other side has the key. What comes from addresses that are not allowed it does not even get.
type bounded struct {
	memberlist.NodeAwareTransport
	allow   func(netip.Addr) bool // nil: all are
	refuse  func(from string)     // tells that one is not
	packets chan *memberlist.Packet
	streams chan net.Conn
	open    atomic.Int64
	done    chan struct{}
}

func (g *Gossip) bound(t memberlist.NodeAwareTransport) *bounded {
	b := &bounded{
		NodeAwareTransport: t, allow: g.o.Allow, streams: make(chan net.Conn), done: make(chan struct{}),
		refuse: func(from string) { g.journal.refuse(&g.counts.outside, from, errOutside.Error()) },
	}
	go b.run()
	if b.allow != nil {
		b.packets = make(chan *memberlist.Packet)
		go b.sift()
	}
	return b
}

// errOutside is why something is refused that comes from an address which is not allowed.
var errOutside = errors.New("its address is not allowed")

// allows reports whether somebody may speak, and tells if not.
func (b *bounded) allows(from net.Addr) bool {
	if b.allow == nil || allowed(b.allow, from.String()) {
		return true
	}
	b.refuse(from.String())
	return false
}

// allowed reports whether an address with a port is allowed; what is none is not.
func allowed(allow func(netip.Addr) bool, addr string) bool {
	at, err := netip.ParseAddrPort(addr)
	return err == nil && allow(at.Addr())
}

// sift passes the packets on that are allowed.
func (b *bounded) sift() {
	for {
		select {
		case p := <-b.NodeAwareTransport.PacketCh():
			if !b.allows(p.From) {
				continue
			}
			select {
			case b.packets <- p:
			case <-b.done:
				return
			}
		case <-b.done:
			return
		}
	}
}

// PacketCh is that of memberlist.Transport.
func (b *bounded) PacketCh() <-chan *memberlist.Packet {
	if b.packets == nil {
		return b.NodeAwareTransport.PacketCh()
	}
	return b.packets
}

func (b *bounded) run() {
	for {
		select {
		case conn := <-b.NodeAwareTransport.StreamCh():
			if !b.allows(conn.RemoteAddr()) {
				conn.Close()
				continue
			}
			if b.open.Add(1) > streamsAtOne {
				b.open.Add(-1)
				conn.Close()
				continue
			}
			select {
			case b.streams <- &boundedConn{Conn: conn, left: streamLimit, owner: b}:
			case <-b.done:
				conn.Close()
			}
		case <-b.done:
			return
		}
	}
}

// StreamCh is that of memberlist.Transport.
func (b *bounded) StreamCh() <-chan net.Conn { return b.streams }

// Shutdown is that of memberlist.Transport.
func (b *bounded) Shutdown() error {
	err := b.NodeAwareTransport.Shutdown()
	close(b.done)
	return err
}

// boundedConn ends a stream that becomes too long.
type boundedConn struct {
	net.Conn
	left   int
	owner  *bounded
	closed atomic.Bool
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errOversized
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *boundedConn) Close() error {
	if !c.closed.Swap(true) {
		c.owner.open.Add(-1)
	}
	return c.Conn.Close()
}

// fromListen is memberlist's transport whose streams come from the address at which it listens, as its packets do: others
// know the node by that, also where its machine has more addresses.
type fromListen struct {
	*memberlist.NetTransport
	addr netip.Addr
}

// DialAddressTimeout is that of memberlist.NodeAwareTransport.
func (t *fromListen) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var d net.Dialer
	if to, err := netip.ParseAddrPort(a.Addr); err == nil && to.Addr().Unmap().Is4() == t.addr.Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.addr, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", a.Addr)
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		failed.Source = nil // it says nothing: the port has not been chosen
	}
	return conn, err
}
