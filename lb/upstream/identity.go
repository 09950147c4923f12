package upstream

import (
	"crypto/sha256"
	"encoding/binary"
)

// ServerID is the stable identity of a server: the same on every node and over
// every change of membership. Sticky cookies, orders and edits name servers by
// it.
type ServerID uint64

// NewServerID makes the id of the server that is known by a name inside an
// upstream: the first eight bytes of SHA-256 over both.
func NewServerID(upstream, name string) ServerID {
	sum := sha256.Sum256([]byte("v1\x00" + upstream + "\x00" + name))
	return ServerID(binary.BigEndian.Uint64(sum[:]))
}

// idName is what the id of a peer is made of: the address where a name stands
// for several or its addresses come and go, else the server as written. The
// target of an SRV record keeps its id when its address changes. A route stands
// for the line, and before what tells its peers apart.
func (s *Server) idName(addr string) string {
	name, several := s.Name, len(s.Addrs) > 1
	switch {
	case s.Question.Service != "" && several:
		name += "/" + addr
	case s.Question.Service != "":
	case s.Question.Host != "" || several:
		name = addr
	case s.Route != "":
		return s.Route
	}
	if s.Route != "" {
		return s.Route + "/" + name
	}
	return name
}

// PeerID names a peer over all Pools of its upstream. Two equal server lines
// have peers of one PeerID.
type PeerID struct {
	Upstream string
	Server   string // the server as written, or what tells it from others of that name
	Addr     string // as in Peer.Text
}

// Key is the name in short, the same on every node: the first eight bytes of
// SHA-256 over its parts.
func (id PeerID) Key() uint64 {
	sum := sha256.Sum256([]byte(id.Upstream + "\x00" + id.Server + "\x00" + id.Addr))
	return binary.BigEndian.Uint64(sum[:])
}

// PeerID returns the name of the peer.
func (p *Peer) PeerID() PeerID {
	return p.resident.peerID(p.upstream)
}
