package node

import (
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
)

// seedBatch is how many servers of a state file are proposed together: far less
// than a command may hold.
const seedBatch = 500

// seeded reports whether the servers in the state files of a configuration are
// agreed ones, or need not become such.
func seeded(conf *config.Config, s *consensus.State) bool {
	return conf.HTTP == nil || !slices.ContainsFunc(conf.HTTP.Upstreams, func(u *config.Upstream) bool { return toSeed(u, s) })
}

func toSeed(u *config.Upstream, s *consensus.State) bool {
	e, _ := s.Upstream(u.Name)
	return u.State != "" && len(u.Servers) > 0 && !e.Seeded
}

// seeds returns the commands, one to be proposed after the other, by which the
// servers in the state files of a configuration become agreed ones. A node
// proposes them when it has formed a cluster, or runs without one, and when a
// reload brings an upstream with a state file; of several nodes the first counts.
// What has been taken over once is only written back into the files from then on.
func seeds(conf *config.Config, s *consensus.State) (list []*consensus.Batch) {
	if conf.HTTP == nil {
		return nil
	}
	for _, u := range conf.HTTP.Upstreams {
		if toSeed(u, s) {
			list = append(list, seed(u)...)
		}
	}
	return list
}

// seed returns the commands for one upstream. The last of them says that all are
// there; until then the lines of the file count as well.
func seed(u *config.Upstream) (list []*consensus.Batch) {
	batch := &consensus.Batch{}
	for i := range u.Servers {
		s := writtenServer(&u.Servers[i])
		*batch = append(*batch, &consensus.AddServer{Target: consensus.Target{Upstream: u.Name, ID: serverID(u.Name, &s)}, Server: s})
		if len(*batch) == seedBatch {
			list = append(list, batch)
			batch = &consensus.Batch{}
		}
	}
	*batch = append(*batch, &consensus.MarkSeeded{Upstream: u.Name, Once: true})
	return append(list, batch)
}
