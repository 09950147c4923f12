package proxy

import (
	"strconv"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// Sticky is what the clients of a target are known by. The target's pool
// decides what it means.
type Sticky struct {
	lookup, create []*variable.Text // of each the first that is not empty counts
	afterHeader    bool
	cookie         *stickyCookie // nil: weir sets none
}

// stickyCookie is the cookie that tells a client's server.
type stickyCookie struct {
	presented variable.Getter // of the request
	name      []byte          // with its equals sign
	lasts     bool
	expires   time.Duration // if lasts; 0 with forever
	forever   bool
	domain    *variable.Text
	sameSite  *variable.Text
	flags     []byte
	path      []byte
}

// NewSticky compiles a sticky directive; nil if there is none.
func NewSticky(t *variable.Table, conf *config.Sticky) (*Sticky, error) {
	c := compiler{table: t}
	s := &Sticky{afterHeader: conf.Learn.AfterHeader}
	switch conf.Kind {
	case config.NotSticky:
		return nil, nil
	case config.StickyCookieKind:
		presented, err := t.Lookup("cookie_" + conf.Cookie.Name)
		if err != nil {
			return nil, conf.Pos.Errorf("%v", err)
		}
		s.cookie = c.stickyCookie(&conf.Cookie)
		s.cookie.presented = presented.Get
	}
	for _, x := range conf.Lookup {
		s.lookup = append(s.lookup, c.text(x))
	}
	for _, x := range conf.Learn.Create {
		s.create = append(s.create, c.text(x))
	}
	return s, c.err
}

func (c *compiler) stickyCookie(conf *config.StickyCookie) *stickyCookie {
	k := &stickyCookie{
		name: []byte(conf.Name + "="), lasts: conf.Lasts, expires: conf.Expires, forever: conf.Forever,
		domain: c.text(conf.Domain), sameSite: c.text(conf.SameSite),
	}
	if conf.HTTPOnly {
		k.flags = append(k.flags, "; httponly"...)
	}
	if conf.Secure {
		k.flags = append(k.flags, "; secure"...)
	}
	if conf.Path != "" {
		k.path = []byte("; path=" + conf.Path)
	}
	return k
}

// first returns the first of the texts that is not empty.
func first(texts []*variable.Text, r *request.Request) []byte {
	for _, t := range texts {
		if v := t.Value(r); len(v) > 0 {
			return v
		}
	}
	return nil
}

// follow binds the request to the peer that it names, if it names one.
func (x *exchange) follow() {
	s := x.target.Sticky
	if s == nil {
		return
	}
	if s.cookie != nil {
		x.presented, _ = s.cookie.presented(x.r)
	} else {
		x.presented = first(s.lookup, x.r)
	}
	x.epoch = time.Now().UnixNano() - x.now
	x.pool.Follow(&x.args, &x.tie, x.presented, x.wall().Unix())
}

// wall is the time of x.now, of a request to a sticky upstream.
func (x *exchange) wall() time.Time { return time.Unix(0, x.epoch+x.now) }

// bind tells the client, or the table of sessions, which peer has given the
// reply that it is about to get. Attempts that failed bind nobody.
func (x *exchange) bind() {
	switch s := x.target.Sticky; {
	case s == nil:
	case s.cookie != nil:
		x.setCookie(s.cookie)
	case s.afterHeader:
		x.learn()
	}
}

// bindLate is bind for sessions that are learned when the reply has ended.
func (x *exchange) bindLate() {
	if s := x.target.Sticky; s != nil && s.cookie == nil && !s.afterHeader {
		x.learn()
	}
}

// learn ties the session that the reply made, or that the request belongs to,
// to the peer.
func (x *exchange) learn() {
	id, create := first(x.target.Sticky.create, x.r), true
	if len(id) == 0 {
		id, create = x.presented, false
	}
	x.pool.Learn(&x.args, id, create, x.wall().UnixNano())
}

// setCookie adds the cookie to the reply, its attributes in nginx's order.
func (x *exchange) setCookie(k *stickyCookie) {
	r := x.r
	domain, sameSite := k.domain.Value(r), k.sameSiteOf(r)
	now := x.wall()
	out := append(r.Arena().Take(), k.name...)
	if out = x.pool.AppendID(out, &x.args, &x.tie, now.Unix()); len(out) == len(k.name) {
		return // the keys of the cluster are yet to come
	}
	switch {
	case k.forever:
		out = append(out, "; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000"...)
	case k.lasts:
		out = append(out, "; expires="...)
		out = appendCookieTime(out, now.Add(k.expires))
		out = append(out, "; max-age="...)
		out = strconv.AppendInt(out, int64(k.expires/time.Second), 10)
	}
	if len(domain) > 0 {
		out = append(append(out, "; domain="...), domain...)
	}
	out = append(out, k.flags...)
	if len(sameSite) > 0 {
		out = append(append(out, "; samesite="...), sameSite...)
	}
	out = append(out, k.path...)
	r.Reply.Add("Set-Cookie", r.Arena().Keep(out))
}

// sameSiteOf returns the value of samesite, the strictest for one that a
// variable gave and no browser knows.
func (k *stickyCookie) sameSiteOf(r *request.Request) []byte {
	v := k.sameSite.Value(r)
	if _, static := k.sameSite.Static(); static || len(v) == 0 {
		return v
	}
	for _, known := range []string{"strict", "lax", "none"} {
		if request.EqualFold(v, []byte(known)) {
			return v
		}
	}
	r.Logf(errorlog.Debug, "sticky: invalid cookie samesite value %q", v)
	return []byte("strict")
}

// appendCookieTime writes a time as the cookies of old want it, years of four
// digits where two would be taken for the past.
func appendCookieTime(dst []byte, t time.Time) []byte {
	layout := "Mon, 02-Jan-06 15:04:05 GMT"
	if t = t.UTC(); t.Year() > 2037 {
		layout = "Mon, 02-Jan-2006 15:04:05 GMT"
	}
	return t.AppendFormat(dst, layout)
}
