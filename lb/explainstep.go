package lb

import (
	"io"
	"os"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/access"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/static"
	"github.com/weir-lb/weir/lb/variable"
)

// explainServer tells which virtual server was chosen and by what.
func (w *walk) explainServer() {
	name := string(w.srv.name)
	if name == "" {
		name = "without a name"
	}
	w.r.Explainf("server: %s, %s, in %s", name, w.whyServer(), w.srv.conf.Pos)
}

// whyServer tells what of its names led to the server.
func (w *walk) whyServer() string {
	host := string(w.r.Host)
	if host == "" {
		return "the default server, since the request names no host"
	}
	for _, n := range w.srv.conf.Names {
		if matchesName(&n, host) {
			return "by the name " + n.Name + " for " + host
		}
	}
	for _, n := range w.srv.conf.Names {
		if n.Kind == config.NameRegex && matchesRegex(&n, host) {
			return "by the expression ~" + n.Name + " for " + host
		}
	}
	return "the default server, since none has the name " + host
}

// matchesName tells whether a server name without an expression fits.
func matchesName(n *config.ServerName, host string) bool {
	switch n.Kind {
	case config.NameExact:
		return n.Name == host
	case config.NameLeading:
		return strings.HasSuffix(host, n.Name[1:])
	case config.NameDot:
		return host == n.Name[1:] || strings.HasSuffix(host, n.Name)
	case config.NameTrailing:
		return strings.HasPrefix(host, n.Name[:len(n.Name)-1])
	}
	return false
}

func matchesRegex(n *config.ServerName, host string) bool {
	x, err := variable.CompileRegex(nil, config.Regex{Pattern: n.Name, NoCase: n.Name != strings.ToLower(n.Name), Pos: n.Pos})
	if err != nil {
		return false
	}
	found, err := x.Find([]byte(host))
	return err == nil && found != nil
}

// explainLocation tells which location was entered and by what.
func (w *walk) explainLocation() {
	conf := w.loc.conf
	how := ""
	switch conf.Kind {
	case config.MatchPrefix:
		how = conf.Pattern + ", the longest prefix of " + string(w.r.Path)
		if conf.Pattern == "" {
			w.r.Explainf("location: none fits %s; the settings of the server hold", w.r.Path)
			return
		}
	case config.MatchExact:
		how = "= " + conf.Pattern + ", exactly"
	case config.MatchNoRegex:
		how = "^~ " + conf.Pattern + ", the longest prefix of " + string(w.r.Path)
	case config.MatchRegex:
		how = "~ " + conf.Pattern + ", the first expression that fits " + string(w.r.Path)
	case config.MatchRegexNoCase:
		how = "~* " + conf.Pattern + ", the first expression that fits " + string(w.r.Path)
	case config.MatchNamed:
		how = conf.Pattern + ", by its name"
	case config.MatchIf:
		how = "if, whose condition holds"
	case config.MatchLimitExcept:
		how = "limit_except, for " + string(w.r.MethodName())
	}
	w.r.Explainf("location: %s, in %s", how, conf.Pos)
}

// explainContent tells what is going to serve the request, or what it passes
// before.
func (w *walk) explainContent(h request.Handler, last bool) {
	conf := w.loc.conf
	switch {
	case !last:
		w.explainEntry(h)
	case conf.Pending != "":
		w.r.Explainf("content: %s, which is not in force yet", conf.Pending)
	case conf.StubStatus:
		w.r.Explainf("content: stub_status")
	case conf.Proxy != nil && conf.Proxy.GRPC:
		w.r.Explainf("content: grpc_pass %s in %s", conf.Proxy.URL.Value, conf.Proxy.Pos)
	case conf.Proxy != nil:
		w.r.Explainf("content: proxy_pass %s in %s", conf.Proxy.URL.Value, conf.Proxy.Pos)
	default:
		w.r.Explainf("content: files below %s", w.loc.root.Value(&w.r))
	}
}

// explainEntry tells of a handler before the content.
func (w *walk) explainEntry(h request.Handler) {
	switch h.(type) {
	case *access.RealIP:
		w.r.Explainf("realip: the connection is from %s", w.r.ClientText)
	case *access.Satisfy:
		w.r.Explainf("access: %d rules of allow and deny, for %s", len(w.loc.conf.AccessRules), w.r.ClientText)
	case *static.TryFiles:
		w.r.Explainf("try_files: in %s", w.loc.conf.TryFiles.Pos)
	}
}

// explainOutcome tells what a rewrite script answers.
func (w *walk) explainOutcome(o *route.Outcome) {
	switch {
	case o.Location != nil:
		w.r.Explainf("return: status %d, to %s", o.Status, o.Location)
	case len(o.Body) > 0:
		w.r.Explainf("return: status %d with a text", o.Status)
	default:
		w.r.Explainf("return: status %d", o.Status)
	}
}

// Begin implements request.Out: it tells of the reply instead of sending it.
func (w *askedWalk) Begin() error {
	w.finalize()
	p := &w.r.Reply
	p.HeadSent = true
	if len(p.Location) > 0 {
		w.r.Explainf("reply: %d, Location: %s", p.Status, p.Location)
		return nil
	}
	w.r.Explainf("reply: %d", p.Status)
	return nil
}

// Write implements request.Out.
func (w *askedWalk) Write([]byte) error { return nil }

// SendFile implements request.Out.
func (w *askedWalk) SendFile(*os.File, int64, int64) error { return nil }

// Flush implements request.Out.
func (w *askedWalk) Flush() error { return nil }

// End implements request.Out.
func (w *askedWalk) End(*request.Head) error { return nil }

// Interim implements request.Out.
func (w *askedWalk) Interim(int, *request.Head) error { return nil }

// Watch implements request.Out: the client of a made-up request never leaves.
func (w *askedWalk) Watch(func()) {}

// Unwatch implements request.Out.
func (w *askedWalk) Unwatch() {}

// Tunnel implements request.Out.
func (w *askedWalk) Tunnel() (request.Tunnel, bool) { return nil, false }

// Next implements request.BodySource: there is no body, whatever the head says.
func (w *askedWalk) Next() ([]byte, error) { return nil, io.EOF }

// Whole implements request.BodySource.
func (w *askedWalk) Whole() ([]byte, bool) { return nil, true }

// Cancel implements request.BodySource.
func (w *askedWalk) Cancel() {}
