package lb

import (
	"fmt"
	"os"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/upstream"
)

// sessions is a zone of learned sessions, which outlives reloads as long as it
// belongs to the same upstream.
type sessions struct {
	conf     *config.StickyLearn
	upstream string
	table    *upstream.Sessions
}

// fileKeys reads the sticky keys: the first seals, the others open what they
// have sealed.
func (c *compiler) fileKeys(files []config.StickyKey) error {
	if len(files) == 0 {
		return nil
	}
	var list []upstream.Key
	for i, f := range files {
		key, err := readKey(f.File)
		if err != nil {
			return f.Pos.Errorf("%v", err)
		}
		if key.State = upstream.KeyRetiring; i == 0 {
			key.State = upstream.KeyActive
		}
		list = append(list, key)
	}
	keys, err := upstream.NewKeys(list)
	if err != nil {
		return files[0].Pos.Errorf("%v", err)
	}
	c.g.keys = keys
	return nil
}

func readKey(file string) (key upstream.Key, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return key, fmt.Errorf("open() %q failed (%w)", file, errno.Of(err))
	}
	if key.Secret, err = upstream.ParseKey(text); err != nil {
		return key, fmt.Errorf("sticky key %q: %w", file, err)
	}
	key.ID = upstream.KeyID(&key.Secret)
	return key, nil
}

// sticky compiles how the clients of an upstream are tied to its peers.
func (c *compiler) sticky(u *config.Upstream) upstream.Sticky {
	conf := &u.Sticky
	out := upstream.Sticky{Cookie: conf.Cookie.Name, Lifetime: conf.Cookie.Expires}
	switch conf.Kind {
	case config.StickyCookieKind:
		out.Kind, out.Keys, out.AcceptPlain = upstream.StickyCookie, &c.b.keys.used, c.acceptsPlain(u)
		out.Missing = c.b.keys.missing
	case config.StickyRouteKind:
		out.Kind = upstream.StickyRoute
	case config.StickyLearnKind:
		out.Kind = upstream.StickyLearn
		out.Sessions = c.sessions(u)
		if conf.Learn.Sync {
			out.Ask = c.b.learning.asker(conf.Learn.Zone)
		}
	}
	return out
}

// acceptsPlain tells whether the ids of nginx are followed, too.
func (c *compiler) acceptsPlain(u *config.Upstream) bool {
	mode := u.StickyAcceptNginx
	if mode == config.FlagDefault {
		mode = c.g.conf.HTTP.StickyAcceptNginx
	}
	return mode == config.FlagOn
}

// sessions returns the table of a zone, the one in use where there is one.
func (c *compiler) sessions(u *config.Upstream) *upstream.Sessions {
	l := &u.Sticky.Learn
	s := &sessions{conf: l, upstream: u.Name}
	if before := c.learned[l.Zone]; before != nil && before.upstream == u.Name {
		s.table = before.table
	} else {
		s.table = upstream.NewSessions(l.Size, l.Timeout)
	}
	c.g.sessions[l.Zone] = s
	return s.table
}

// takeSessions makes the bounds of the configuration those of its zones, and
// lets other nodes hear of them or not.
func (g *generation) takeSessions(l *learning) {
	for _, s := range g.sessions {
		s.table.Configure(s.conf.Size, s.conf.Timeout)
		if s.conf.Sync && l.outlet != nil {
			s.table.Share(l.wake)
		} else {
			s.table.Share(nil)
		}
	}
}

// expireSessions drops the sessions that were not used for too long.
func (g *generation) expireSessions(now time.Time) {
	for _, s := range g.sessions {
		s.table.Expire(now.UnixNano())
	}
}
