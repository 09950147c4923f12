package consensus

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// LevelNotice is the level of lines about what is normal and yet of weight. It
// lies between those of log/slog for information and for warnings.
const LevelNotice = slog.LevelInfo + 2

// herald tells the log, once each, that this node has part in a cluster, who
// leads, and that nobody does for so long that changes are refused. It is used
// by one goroutine at a time.
type herald struct {
	member bool      // it was told that there is a cluster
	leader NodeID    // who was told to lead; empty: nobody was, or nobody does
	since  time.Time // nobody leads; zero: somebody does
	told   bool      // that nobody leads
}

// look tells what is new. It is called about once a second, and when the leader
// or the table of nodes changes.
func (h *herald) look(c *Consensus) {
	s := c.State()
	if c.o.Stream == nil || s.Cluster().ID == "" {
		return
	}
	if !h.member {
		h.member = true
		h.notice(c, "this node has part in %q, whose id is %s", s.Cluster().Name, s.Cluster().ID)
		if s.Cluster().Name != c.o.Cluster {
			c.o.Log.Warn(fmt.Sprintf("cluster: the data folder is of cluster %q, and the configuration names %q: the nodes of neither let this one in", s.Cluster().Name, c.o.Cluster))
		}
	}
	id, _ := c.Leader()
	if id == "" {
		h.miss(c)
		return
	}
	h.since = time.Time{}
	if c.mended() {
		h.notice(c, "this node takes part in agreement again")
	}
	n, known := s.Node(id)
	if !known || id == h.leader && !h.told {
		return // one that is not in the table yet will be, in a moment
	}
	h.leader, h.told = id, false
	if id == c.o.ID {
		h.notice(c, "this node leads")
	} else {
		h.notice(c, "node %q leads", n.Name)
	}
}

// miss tells of the want of a leader, when it lasts longer than changes wait for
// one.
func (h *herald) miss(c *Consensus) {
	switch {
	case h.since.IsZero():
		h.since = time.Now()
	case !h.told && time.Since(h.since) > c.o.Timeouts.Write:
		h.told = true
		why := "all voters answer"
		missing, voters := c.silent()
		if len(missing) > 0 {
			why = fmt.Sprintf("%d of %d voters are missing: %s", len(missing), voters, strings.Join(c.names(missing), ", "))
		}
		c.o.Log.Warn(fmt.Sprintf("cluster: no node leads, and changes are refused until one does; requests are served as before; %s", why))
	}
}

// silent returns the voters that do not answer now, which gossip may not have
// noticed yet, and how many voters there are.
func (c *Consensus) silent() (missing []NodeID, voters int) {
	all := c.Status().Voters
	answered := map[NodeID]bool{c.o.ID: true}
	for _, h := range c.greetings(c.ctx) {
		answered[h.ID] = true
	}
	for _, id := range all {
		if !answered[id] {
			missing = append(missing, id)
		}
	}
	return missing, len(all)
}

// Indispensable tells, of a node without which there would be no quorum, which
// other voters do not answer now; yes is false for all other nodes. It asks all
// of them.
func (c *Consensus) Indispensable(id NodeID) (missing []NodeID, yes bool) {
	voters := c.Status().Voters
	if !slices.Contains(voters, id) {
		return nil, false
	}
	missing, _ = c.silent()
	missing = slices.DeleteFunc(missing, func(other NodeID) bool { return other == id })
	others := len(voters) - 1
	return missing, 2*(others-len(missing)) <= others
}

func (h *herald) notice(c *Consensus, format string, args ...any) {
	c.o.Log.Log(context.Background(), LevelNotice, "cluster: "+fmt.Sprintf(format, args...))
}

// names gives the names of nodes, and the id where there is no name.
func (c *Consensus) names(ids []NodeID) (list []string) {
	s := c.State()
	for _, id := range ids {
		n, known := s.Node(id)
		if !known {
			n.Name = string(id)
		}
		list = append(list, n.Name)
	}
	return list
}
