package proxy

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// redirectRule is one proxy_redirect.
type redirectRule struct {
	from  *variable.Text
	regex *variable.Regex // nil: from is compared as a prefix
	to    *variable.Text
}

// redirect rewrites a Location or Refresh field by the first rule that fits.
func (d *delivery) redirect(f *request.Field) {
	head := &d.r.Upstream
	value := head.Value(f)
	at := 0
	if f.ID == request.FieldRefresh {
		i := bytes.Index(bytes.ToLower(value), []byte("url="))
		if i < 0 {
			return
		}
		at = i + len("url=")
	}
	for i := range d.h.redirects {
		target, ok := d.h.redirects[i].apply(d.r, value[at:])
		if !ok {
			continue
		}
		f.Skip = true
		if f.ID == request.FieldLocation {
			d.r.Reply.Location = target
			return
		}
		whole := append(d.r.Arena().Take(), value[:at]...)
		d.r.Reply.Add(f.ID.String(), d.r.Arena().Keep(append(whole, target...)))
		return
	}
}

// apply returns what a rule makes of a URL.
func (d *redirectRule) apply(r *request.Request, url []byte) ([]byte, bool) {
	if d.regex != nil {
		if !d.regex.Match(r, url) {
			return nil, false
		}
		return d.to.Value(r), true
	}
	from := d.from.Value(r)
	if !bytes.HasPrefix(url, from) {
		return nil, false
	}
	to := d.to.Value(r)
	dst := append(r.Arena().Take(), to...)
	return r.Arena().Keep(append(dst, url[len(from):]...)), true
}
