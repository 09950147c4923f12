package lb

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/request"
)

// Resolver finds the addresses of names that are known only when a request
// comes, by asking the name servers of a `resolver` directive. It is used by
// many requests at a time. The slices it returns are not changed.
type Resolver interface {
	// Known returns the addresses of a host if no question is needed.
	Known(host string, conf *config.Resolver) ([]netip.Addr, bool)
	// Lookup returns the addresses of a host, at least one, in an order that
	// depends on nothing else. The text of an error is what nginx writes in
	// parentheses, such as "3: Host not found"; its cause, if it has one, tells
	// what was wrong. When ctx is cancelled the error is the cause of that.
	Lookup(ctx context.Context, host string, conf *config.Resolver) ([]netip.Addr, error)
}

// resolver returns how requests find the upstream that variables name: groups
// first, then addresses; a name needs a resolver.
func (c *compiler) resolver() proxy.Resolve {
	b, g := c.b, c.g
	return func(r *request.Request, host string, port uint16) (*proxy.Target, int) {
		if path, ok := strings.CutPrefix(host, "unix:"); ok {
			return b.transient(r, transientKey{host: path, unix: true}, nil)
		}
		if z := g.group(string(r.ProxyHost), port); z != nil {
			return z.target, 0
		}
		if port == 0 {
			r.LogError(errorlog.Error, `no port in upstream "`+host+`"`)
			return nil, 500
		}
		if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			return b.transient(r, transientKey{host: host, port: port}, []netip.Addr{addr})
		}
		return b.lookUp(r, host, port)
	}
}

// group finds an upstream by what a URL names: a group where no port is
// written, or the host and port that another proxy_pass names. Case does not
// matter; nil if there is none.
func (g *generation) group(name string, port uint16) *pool {
	name = strings.ToLower(name)
	if z := g.folded[name]; z != nil {
		return z
	}
	return g.folded[name+":"+strconv.Itoa(int(port))] // never there if name has a port already
}

// lookUp finds a host with the resolver of the request's location.
func (b *Balancer) lookUp(r *request.Request, host string, port uint16) (*proxy.Target, int) {
	conf := r.Site.(*location).resolver
	if conf == nil || b.options.Resolver == nil {
		r.LogError(errorlog.Error, "no resolver defined to resolve "+host)
		return nil, 502
	}
	addrs, ok := b.options.Resolver.Known(host, conf)
	if !ok {
		var status int
		if addrs, status = b.ask(r, host, conf); status != 0 {
			return nil, status
		}
	}
	return b.transient(r, transientKey{
		host: host, port: port, servers: strings.Join(conf.Servers, " "), noIPv4: conf.NoIPv4, noIPv6: conf.NoIPv6,
	}, addrs)
}

// transient returns the upstream of what a request asked for.
func (b *Balancer) transient(r *request.Request, k transientKey, addrs []netip.Addr) (*proxy.Target, int) {
	target, err := b.transients.get(k, addrs)
	if err != nil {
		r.LogError(errorlog.Error, err.Error())
		return nil, 500
	}
	return target, 0
}

// resolving gives a location its resolver.
func (c *compiler) resolving(l *location) (err error) {
	l.resolver, err = c.nameServers(l.conf.Resolver)
	return err
}

// nameServers returns a resolver with the addresses of its name servers that
// are themselves written by name, once for all who share it; nil for nil.
func (c *compiler) nameServers(conf *config.Resolver) (*config.Resolver, error) {
	if conf == nil || c.asked[conf] != nil {
		return c.asked[conf], nil
	}
	found := *conf
	found.Servers = nil
	for _, s := range conf.Servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return nil, conf.Pos.Errorf("invalid host in resolver %q", s)
		}
		addrs, err := lookup(host)
		if err != nil {
			return nil, conf.Pos.Errorf("host not found in resolver %q", strings.TrimSuffix(s, ":53"))
		}
		for _, a := range addrs {
			found.Servers = append(found.Servers, net.JoinHostPort(a.String(), port))
		}
	}
	c.asked[conf] = &found
	return &found, nil
}

// errClientLeft ends a look-up for which nobody waits any more.
var errClientLeft = errors.New("epoll_wait() reported that client prematurely closed connection")

// ask waits for the name servers, and no longer than the client does. A
// status that is not 0 is the answer.
func (b *Balancer) ask(r *request.Request, host string, conf *config.Resolver) ([]netip.Addr, int) {
	site := r.Site.(*location).conf
	ctx, leave := context.WithCancelCause(context.Background())
	defer leave(nil)
	ctx, cancel := context.WithTimeout(ctx, site.ResolverTimeout)
	defer cancel()
	if !site.Exchanges().IgnoreClientAbort {
		r.Out.Watch(func() { leave(errClientLeft) })
		defer r.Out.Unwatch()
	}
	addrs, err := b.options.Resolver.Lookup(ctx, host, conf)
	switch {
	case err == nil:
		return addrs, 0
	case errors.Is(err, errClientLeft):
		r.LogError(errorlog.Info, err.Error())
		r.Reply.Broken = true
		return nil, 499
	}
	name := strings.ToLower(strings.TrimSuffix(host, ".")) // what was asked for
	if cause := errors.Unwrap(err); cause != nil {
		r.Logf(errorlog.Info, "%v while resolving %s", cause, name)
	}
	r.Logf(errorlog.Error, "%s could not be resolved (%v)", name, err)
	return nil, 502
}
