package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// Stream carries frames between members, over connections whose ends have been authenticated.
type Stream interface {
	// Accept waits for a connection that another member dialed; it fails once the stream is closed.
	Accept() (net.Conn, error)
	// Dial connects to the stream of another member at Meta.Link.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// Close ends Accept.
	Close() error
}

// Options tell how to take part.
type Options struct {
	ID      string // of this node: 32 hexadecimal digits
	Cluster string // its name. Packets of other clusters are refused
	// Listen is the address and port, UDP and TCP, of membership. Port 0 takes any that is free.
	Listen netip.AddrPort
	// Advertise is where others reach Listen, if not there.
	Advertise netip.AddrPort
	Keys      [][]byte // of 32 bytes: the first seals, all open
	Meta      Meta     // Boot must be at least 1, and grow with each start
	Large     bool     // about more than 32 nodes: detect failures less eagerly
	Stream    Stream   // Open takes it over; none: there are only packets
	// Allow tells whether a packet or stream that comes from an address may be looked at, and whether a member may live
	// there. It is asked often, by many goroutines; nil: everybody may.
	Allow func(netip.Addr) bool
	// Who tells which node is at the other end of a connection of Stream: one that says hello with another id is
	// refused. Optional.
	Who func(net.Conn) string
	// Admit refuses a node that may not be a member, with the reason. It is asked often, also about members; it must
	// not block nor call back.
	Admit func(Member) error

	// The callbacks run one after another, never at the same time. All are optional. None may call Close.

	OnMembers func([]Member) // all known, alive or not, whenever something of one changes, be it Applied
	OnReports func([]Report) // newer reports of other nodes, in any order
	OnRecords func([]Record) // the same of what others told with Put
	// OnFresh tells which nodes are alive at a time when all that they have said is known to be here. As long as it
	// is called now and then, reports are not out of date.
	OnFresh    func(ids []string)
	OnSessions func(zone string, list []Session) // that another node learned
	// Log takes a line; the level is one of error, warn, notice, info.
	Log func(level, text string)

	// Transport replaces the network of membership, in tests.
	Transport memberlist.NodeAwareTransport
}

func (o *Options) validate() error {
	switch {
	case o.Cluster == "" || len(o.Cluster) > 200:
		return errors.New("gossip: the name of the cluster is missing or too long")
	case len(o.Keys) == 0:
		return errors.New("gossip: no key")
	case o.Meta.Boot == 0:
		return errors.New("gossip: no number of the run")
	case o.Log == nil:
		return errors.New("gossip: no log")
	}
	for _, key := range o.Keys {
		if len(key) != keySize {
			return fmt.Errorf("gossip: a key has %d bytes, not %d", len(key), keySize)
		}
	}
	return nil
}

const keySize = 32

// transport opens the ports, unless it was given one.
func (o *Options) transport(c *memberlist.Config) (memberlist.NodeAwareTransport, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{o.Listen.Addr().String()}, BindPort: int(o.Listen.Port()), Logger: c.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("gossip: cannot listen on %s: %w", o.Listen, err)
	}
	return &fromListen{NetTransport: t, addr: o.Listen.Addr()}, nil
}

// profile sets how eager membership is. Failures are found in about 2 s in a cluster of usual size. A large one takes
// longer, so that a busy moment does not make some node look dead to one of many. See docs/cluster.md.
func (o *Options) profile() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 500*time.Millisecond, 200*time.Millisecond, 3
	// A turn wakes the process, and most find nothing to say; in a large cluster reports are passed on in turns.
	c.GossipInterval, c.GossipNodes = 200*time.Millisecond, 4
	if o.Large {
		c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = time.Second, 500*time.Millisecond, 4
		c.GossipInterval = 100 * time.Millisecond
	}
	c.TCPTimeout = 5 * time.Second
	c.DeadNodeReclaimTime = 5 * time.Second // a node may come back at another address
	c.EnableCompression = false             // costs more than it saves
	c.HandoffQueueDepth = 4096
	c.Name, c.Label = o.ID, "weir/"+o.Cluster
	c.BindAddr, c.BindPort = o.Listen.Addr().String(), int(o.Listen.Port())
	if o.Advertise.IsValid() {
		c.AdvertiseAddr, c.AdvertisePort = o.Advertise.Addr().String(), int(o.Advertise.Port())
	} else {
		c.AdvertisePort = c.BindPort
	}
	return c
}

// hostPort splits an address of which the port may be missing.
func hostPort(target string, port uint16) (host string, _ uint16, err error) {
	host, text, err := net.SplitHostPort(target)
	if err != nil {
		if addr, bad := netip.ParseAddr(target); bad == nil {
			return addr.String(), port, nil
		}
		return target, port, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port of %q: %w", target, err)
	}
	return host, uint16(n), nil
}
