package route

import (
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// Hosts finds the virtual server of one listening address by the host that a
// request names: exact name, longest wildcard at the head, longest wildcard
// at the tail, first matching expression, default.
type Hosts[T comparable] struct {
	names   variable.Hostnames[T]
	regexes []hostRegex[T]
	def     T
	others  bool // there are names that do not simply lead to def
}

type hostRegex[T comparable] struct {
	regex  *variable.Regex
	server T
}

// NewHosts returns a table that knows nothing but the default server.
func NewHosts[T comparable](def T) *Hosts[T] { return &Hosts[T]{def: def} }

// Add puts one argument of `server_name` into the table. A name that an
// earlier server has already stays with it, and added is false: nginx warns
// that the name is ignored.
func (h *Hosts[T]) Add(t *variable.Table, name config.ServerName, server T) (added bool, err error) {
	h.others = h.others || server != h.def || name.Kind == config.NameRegex
	if name.Kind != config.NameRegex {
		return h.names.Add(name.Name, server), nil
	}
	// The host is in lower case, so a pattern with capitals must not mind it.
	noCase := name.Name != strings.ToLower(name.Name)
	re, err := variable.CompileRegex(t, config.Regex{Pattern: name.Name, NoCase: noCase, Pos: name.Pos})
	if err != nil {
		return false, err
	}
	h.regexes = append(h.regexes, hostRegex[T]{re, server})
	return true, nil
}

// Default returns the default server.
func (h *Hosts[T]) Default() T { return h.def }

// Find returns the server for a host in lower case, without port and final
// dot. A matching expression sets the captures of s, which may be nil.
func (h *Hosts[T]) Find(host []byte, s variable.Source) T {
	if !h.others {
		return h.def
	}
	if server, ok := h.names.Find(host); ok {
		return server
	}
	if len(host) > 0 {
		for i := range h.regexes {
			if h.regexes[i].regex.Match(s, host) {
				return h.regexes[i].server
			}
		}
	}
	return h.def
}
