package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/durable"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/node/link"
)

// ground is what agreement and gossip stand on: who the node is, where it keeps
// what must outlive it, and what takes the rights of the start.
type ground struct {
	dir      string // empty: nothing outlives the process
	identity *link.Identity
	conf     *config.Cluster // nil: the node is alone, and the rest is not set
	secret   *link.Secret
	listener net.Listener // of the link
}

// openGround opens all that cfg says of it, for a process that turns into a.
func openGround(cfg *config.Config, a *account) (*ground, error) {
	g := &ground{dir: cfg.Data, conf: cfg.Cluster}
	var err error
	if g.dir == "" {
		g.identity = link.NewIdentity()
		return g, nil
	}
	if err := durable.MakeFolder(g.dir, 0o700); err != nil {
		return nil, fmt.Errorf("mkdir() %q failed (%w)", g.dir, errno.Of(err))
	}
	if g.conf != nil {
		if g.secret, err = readSecret(g.conf); err != nil {
			return nil, err
		}
	}
	if g.identity, err = link.OpenIdentity(g.dir, a.owner()); err != nil {
		return nil, err
	}
	if g.conf != nil {
		addr := config.PeerAddr(g.conf.Listen)
		if g.listener, err = net.Listen("tcp", addr.String()); err != nil {
			return nil, errors.Join(fmt.Errorf("bind() to %s of the cluster failed (%w)", addr, errno.Of(err)), g.close())
		}
	}
	return g, nil
}

// readSecret reads the secret of a cluster. One that others can read is no
// secret.
func readSecret(conf *config.Cluster) (*link.Secret, error) {
	info, err := os.Stat(conf.Secret)
	if err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, conf.Pos.Errorf(`everybody may read or write the cluster secret %q, which only its owner should`, conf.Secret)
	}
	s, err := link.ReadSecret(conf.Secret)
	if err != nil {
		return nil, conf.Pos.Errorf("cluster secret: %v", err)
	}
	return s, nil
}

// allow tells who may speak to the ports of the cluster; nil: everybody may.
func (g *ground) allow() func(netip.Addr) bool {
	if len(g.conf.Allow) == 0 {
		return nil
	}
	return g.conf.Allows
}

// checkGround tests what openGround would need, and changes nothing.
func checkGround(cfg *config.Config) error {
	if cfg.Cluster == nil {
		return nil
	}
	_, err := readSecret(cfg.Cluster)
	return err
}

// own gives the account what it writes after the rights of the start are gone.
func (g *ground) own(a *account) error {
	if g.dir == "" {
		return nil
	}
	return a.ownAll(g.dir)
}

// close gives up the folder, and the port if no link has taken it.
func (g *ground) close() error {
	if g.listener != nil {
		_ = g.listener.Close() // the link may have closed it
	}
	return g.identity.Close()
}
