package node

import (
	"bytes"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lb/weir/config/durable"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/link"
)

// secretsOf gives the cluster secrets that hold, the one first that signs: those
// that were agreed on, and the configured one as long as not every node may have
// heard of another.
func secretsOf(s *consensus.State, configured *link.Secret, now time.Time) []*link.Secret {
	var list []*link.Secret
	used, active := 0, -1 // keys that are or were active
	ring := s.Ring(consensus.SecretRing)
	for i, k := range ring {
		secret, err := link.SecretOf(k.Secret)
		if err != nil {
			continue // the ring takes none of another size
		}
		if k.State != consensus.KeyNext {
			used++
		}
		if k.State == consensus.KeyActive {
			active, list = i, append([]*link.Secret{secret}, list...)
		} else {
			list = append(list, secret)
		}
	}
	switch {
	case active < 0:
		return append([]*link.Secret{configured}, list...)
	case used == 1 && now.Sub(time.UnixMilli(ring[active].Since)) < consensus.SecretGrace:
		return append(list, configured)
	}
	return list
}

func isActive(k consensus.Key) bool { return k.State == consensus.KeyActive }

// gossipKeys gives the keys of gossip, the one that seals first: those that were
// agreed on, or as long as there are none the one that follows from the secret.
// That one goes on to open for a while, for nodes that are about to hear of it.
func gossipKeys(s *consensus.State, secret *link.Secret, now time.Time) [][]byte {
	var list [][]byte
	ring := s.Ring(consensus.GossipRing)
	active := slices.IndexFunc(ring, isActive)
	if active >= 0 {
		list = append(list, ring[active].Secret)
	}
	for i := range ring {
		if i != active {
			list = append(list, ring[i].Secret)
		}
	}
	if active < 0 || len(ring) == 1 && now.Sub(time.UnixMilli(ring[0].Since)) < consensus.SecretGrace {
		list = append(list, secret.GossipKey())
	}
	return list
}

// firstStickyKey is the sticky key that follows from the cluster secret in force.
func (c *cluster) firstStickyKey(s *consensus.State) []byte {
	return secretsOf(s, c.ground.secret, time.Now())[0].StickyKey()
}

// adoptSecrets has link and gossip use what a state says of secrets and keys.
func (c *cluster) adoptSecrets(s *consensus.State) {
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	now := time.Now()
	secrets := secretsOf(s, c.ground.secret, now)
	if !slices.EqualFunc(secrets, c.secrets, (*link.Secret).Equal) {
		if err := c.link.SetSecrets(secrets); err != nil {
			c.log.Logf(errorlog.Alert, 0, "agreed cluster secret: %v", err)
			return
		}
		if len(c.secrets) > 0 && !secrets[0].Equal(c.secrets[0]) {
			c.keepSecret(secrets[0])
		}
		c.secrets = secrets
	}
	g, keys := c.gossip.Load(), gossipKeys(s, secrets[0], now)
	if g == nil || slices.EqualFunc(keys, c.keys, bytes.Equal) {
		return
	}
	if err := changeGossipKeys(g, c.keys, keys); err != nil {
		c.log.Logf(errorlog.Alert, 0, "agreed keys of gossip: %v", err)
		return
	}
	c.keys = keys
}

// keepSecret writes an agreed secret where an operator finds it for new nodes.
func (c *cluster) keepSecret(s *link.Secret) {
	file := filepath.Join(c.ground.dir, "cluster.secret")
	if err := durable.WriteFile(file, s.Format(), 0o600); err != nil {
		c.log.Logf(errorlog.Alert, 0, "cluster: the agreed secret cannot be kept: open() %q failed (%s)", file, errno.Text(err))
		return
	}
	c.log.Logf(errorlog.Notice, 0, "cluster: another secret is in use, it is in %q; new nodes, and those that were away, need it", file)
}

// changeGossipKeys brings a ring of gossip from the keys of before to the next.
func changeGossipKeys(g *gossip.Gossip, former, next [][]byte) error {
	for _, key := range next {
		if err := g.InstallKey(key); err != nil {
			return err
		}
	}
	if err := g.UseKey(next[0]); err != nil {
		return err
	}
	for _, key := range former {
		if !slices.ContainsFunc(next, func(k []byte) bool { return bytes.Equal(k, key) }) {
			if err := g.RemoveKey(key); err != nil {
				return err
			}
		}
	}
	return nil
}
