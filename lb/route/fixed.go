package route

import (
	"net/netip"
	"strconv"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// Fixed is a compiled return directive.
type Fixed struct {
	status int
	text   *variable.Text // nil: none was written
}

// CompileReturn compiles a return directive.
func CompileReturn(t variable.Names, in *config.Return) (*Fixed, error) {
	f := &Fixed{status: in.Code}
	if in.Text.IsZero() {
		return f, nil
	}
	var err error
	f.text, err = variable.CompileConfig(t, in.Text)
	return f, err
}

// Answer tells what to answer: a status with a Location, with a body, or, if
// both are nil, alone. Below 400 a body is never nil unless Location is set.
func (f *Fixed) Answer(s variable.Source) (status int, location, body []byte) {
	switch {
	case IsRedirect(f.status):
		return f.status, notNil(f.text.Value(s)), nil
	case f.text == nil && f.status >= 400:
		return f.status, nil, nil
	}
	return f.status, nil, notNil(f.text.Value(s))
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// IsRedirect tells whether a text beside this status is a URL for Location.
func IsRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// Base is what a path in Location is made absolute with.
type Base struct {
	Absolute     bool // absolute_redirect
	ServerName   bool // server_name_in_redirect
	PortIncluded bool // port_in_redirect

	TLS   bool
	Local netip.AddrPort // the address that the client reached
	Host  []byte         // as requested, without port; empty: the request named none
	Name  []byte         // the virtual server's first name
}

// appendHost writes an address as the host of a URL; an IPv6 one stands in
// brackets there (RFC 3986, 3.2.2), which nginx forgets.
func appendHost(dst []byte, a netip.Addr) []byte {
	if !a.Is6() {
		return a.AppendTo(dst)
	}
	return append(a.AppendTo(append(dst, '[')), ']')
}

// AppendLocation writes the value of a Location field: a path becomes an
// absolute URL, unless `absolute_redirect` is off; all else stays as it is.
func AppendLocation(dst []byte, b *Base, location []byte) []byte {
	if len(location) == 0 || location[0] != '/' || !b.Absolute {
		return append(dst, location...)
	}
	port, standard := b.Local.Port(), uint16(80)
	dst = append(dst, "http"...)
	if b.TLS {
		dst = append(dst, 's')
		standard = 443
	}
	dst = append(dst, "://"...)
	switch {
	case b.ServerName:
		dst = append(dst, b.Name...)
	case len(b.Host) > 0:
		dst = append(dst, b.Host...)
	default:
		dst = appendHost(dst, b.Local.Addr())
	}
	if b.PortIncluded && port != 0 && port != standard {
		dst = append(dst, ':')
		dst = strconv.AppendUint(dst, uint64(port), 10)
	}
	return append(dst, location...)
}
