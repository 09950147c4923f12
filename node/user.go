package node

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/link"
)

// account is the user and group that the process turns into.
type account struct {
	name   string
	uid    int
	gid    int
	groups []int // with gid; the groups of which the user is a member
}

// owner gives whom the files of the data folder belong to; a may be nil.
func (a *account) owner() link.Owner {
	if a == nil {
		return link.Owner{UID: -1, GID: -1}
	}
	return link.Owner{UID: a.uid, GID: a.gid}
}

// findAccount looks up the user directive; nil if there is none.
func findAccount(cfg *config.Config) (*account, error) {
	if cfg.User == "" {
		return nil, nil
	}
	u, err := user.Lookup(cfg.User)
	if err != nil {
		return nil, cfg.UserPos.Errorf(`getpwnam("%s") failed`, cfg.User)
	}
	a := &account{name: cfg.User}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, cfg.UserPos.Errorf(`user "%s" has no numeric id`, cfg.User)
	}
	group := u.Gid
	if cfg.Group != "" {
		g, err := user.LookupGroup(cfg.Group)
		switch {
		case err == nil:
			group = g.Gid
		case cfg.Group != cfg.User:
			return nil, cfg.UserPos.Errorf(`getgrnam("%s") failed`, cfg.Group)
		}
		// A group was not written, and there is none of the user's name (nobody
		// is in nogroup on Debian): it stays with the user's own.
	}
	if a.gid, err = strconv.Atoi(group); err != nil {
		return nil, cfg.UserPos.Errorf(`group of user "%s" has no numeric id`, cfg.User)
	}
	a.groups, err = memberships(u, a.gid)
	return a, err
}

// memberships gives the ids of all groups of u, gid first.
func memberships(u *user.User, gid int) ([]int, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("reading the groups of user %q: %w", u.Username, err)
	}
	groups := []int{gid}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("group id %q of user %q: %w", id, u.Username, err)
		}
		if n != gid {
			groups = append(groups, n)
		}
	}
	return groups, nil
}

// checkUser gives the account into which a process with the effective user id
// euid would turn, nil if it stays what it is. It warns of files which that
// account cannot open again when the configuration is reloaded.
func checkUser(cfg *config.Config, euid int, j *journal) (*account, error) {
	if cfg.User == "" {
		return nil, nil
	}
	if euid != 0 {
		j.logf(errorlog.Warn, `the "user" directive makes sense only if the master process runs with super-user privileges, ignored in %s`, cfg.UserPos)
		return nil, nil
	}
	a, err := findAccount(cfg)
	if err != nil || a.uid == 0 {
		return nil, err
	}
	for _, u := range fileUses(cfg) {
		if a.may(u) {
			continue
		}
		verb := "read"
		if u.write {
			verb = "write"
		}
		where := ""
		if !u.pos.IsZero() {
			where = " in " + u.pos.String()
		}
		j.logf(errorlog.Warn, `user "%s" cannot %s "%s"%s (it can be opened at the start, but not by a reload)`, a.name, verb, u.path, where)
	}
	return a, nil
}
