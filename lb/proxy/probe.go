package proxy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
)

// Probe is how a location's upstream is asked by a health check: with the
// fields and over the connections that a request of the location would have.
type Probe struct {
	Head    []byte // request line and fields, as HTTP/1.1 has them
	HTTP2   bool
	Profile *connect.Profile

	Connect, Send, Read time.Duration

	Limits http1.Limits // of the reply's head
}

// ProbeOptions tell what is asked.
type ProbeOptions struct {
	Method, URI string
	Fields      [][2]string // unless the location sets fields of these names
	Slots       int         // memos that the variables of the location need
}

// Probe makes the question of a health check. There is no client: most
// variables are empty, and so the fields made of them are left out. The error
// is about the certificate that variables name.
func (h *Fetcher) Probe(o ProbeOptions) (*Probe, error) {
	x := &exchange{h: h, r: &request.Request{}}
	x.r.Reset(&request.Conn{}, o.Slots)
	x.r.Start = time.Now()
	if status := x.aim(); status != 0 {
		return nil, fmt.Errorf("no certificate for health checks of upstream %q", h.target.Name)
	}
	head := append([]byte(o.Method+" "+o.URI), h.versionLine...)
	head = x.appendSet(head)
	for _, f := range o.Fields {
		if !slices.ContainsFunc(h.set, func(s setField) bool { return strings.EqualFold(s.name, f[0]) }) {
			head = append(head, f[0]+": "+f[1]+"\r\n"...)
		}
	}
	profile := *x.profile()
	profile.Patient = !h.http2
	return &Probe{
		Head: append(head, "\r\n"...), HTTP2: h.http2, Profile: &profile,
		Connect: h.ConnectTimeout, Send: h.SendTimeout, Read: h.ReadTimeout, Limits: h.limits,
	}, nil
}
