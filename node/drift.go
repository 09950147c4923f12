package node

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/weir-lb/weir/config"
)

// fingerprint is what nodes tell each other of their configurations, to see
// where they differ: hashes, which are the same where the directives say the
// same, wherever they stand and however they are laid out.
type fingerprint struct {
	HTTP      uint64            `json:"http"`      // of the whole http block
	Upstreams map[string]uint64 `json:"upstreams"` // of each upstream's lines
}

// fingerprintOf takes the fingerprint of a configuration. Blocks that differ
// from node to node by their nature, such as cluster, have no part in it.
func fingerprintOf(cfg *config.Config) fingerprint {
	f := fingerprint{Upstreams: map[string]uint64{}}
	if cfg.HTTP == nil {
		return f
	}
	f.HTTP = hashOf(cfg.HTTP, cfg.ConfPrefix, cfg.Prefix)
	for _, u := range cfg.HTTP.Upstreams {
		f.Upstreams[u.Name] = hashOf(u, cfg.ConfPrefix, cfg.Prefix)
	}
	return f
}

// sum is the fingerprint in a few bytes.
func (f *fingerprint) sum() uint64 { return hashOf(f) }

// differences names what differs between two fingerprints, "" for nothing.
func (f *fingerprint) differences(o *fingerprint) string {
	var names []string
	for name, sum := range f.Upstreams {
		if other, ok := o.Upstreams[name]; !ok || other != sum {
			names = append(names, name)
		}
	}
	for name := range o.Upstreams {
		if _, ok := f.Upstreams[name]; !ok {
			names = append(names, name)
		}
	}
	switch {
	case len(names) == 1:
		return fmt.Sprintf("upstream %q", names[0])
	case len(names) > 1:
		slices.Sort(names)
		return fmt.Sprintf("upstreams %q", names)
	case f.HTTP != o.HTTP:
		return "the http block, but no upstream"
	}
	return ""
}

// hashOf gives the first 8 bytes of the SHA-256 of a value's content. Names of
// files below one of the directories, which end in a slash, count as relative to
// it: where a node is installed is its own matter.
func hashOf(v any, directories ...string) uint64 {
	h := &contentHash{sha256.New(), directories}
	hashValue(h, reflect.ValueOf(v))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// contentHash is what hashOf writes into.
type contentHash struct {
	hash.Hash
	directories []string
}

// relative cuts the directory off the name of a file.
func (h *contentHash) relative(name string) string {
	for _, dir := range h.directories {
		if rest, below := strings.CutPrefix(name, dir); below && dir != "" && dir != "/" {
			return rest
		}
	}
	return name
}

// hashValue writes what a value holds: what pointers point to, and no positions
// in files. It knows the kinds that a configuration is made of.
func hashValue(h *contentHash, v reflect.Value) {
	if v.IsValid() && ownMatter(v.Type()) {
		return
	}
	if v.IsValid() {
		switch v.Type() {
		case reflect.TypeFor[config.Listen]():
			v = reflect.ValueOf(anywhere(v.Interface().(config.Listen)))
		case reflect.TypeFor[config.Upstream]():
			v = reflect.ValueOf(asWritten(v.Interface().(config.Upstream)))
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			_, _ = h.Write([]byte{0}) // a hash takes everything
			return
		}
		hashValue(h, v.Elem())
	case reflect.Struct:
		if text, ok := textOf(v); ok {
			_, _ = fmt.Fprintf(h, "%q;", text)
			return
		}
		for i := range v.NumField() {
			hashValue(h, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		_, _ = fmt.Fprintf(h, "[%d;", v.Len())
		for i := range v.Len() {
			hashValue(h, v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		_, _ = fmt.Fprintf(h, "{%d;", len(keys))
		for _, k := range keys {
			hashValue(h, k)
			hashValue(h, v.MapIndex(k))
		}
	case reflect.String:
		_, _ = fmt.Fprintf(h, "%q;", h.relative(v.String()))
	default:
		_, _ = fmt.Fprintf(h, "%s;", strings.ReplaceAll(fmt.Sprintf("%#v", v), ";", "\\;"))
	}
}

// ownMatter tells whether values of a type are each node's own business: places
// in files, and logs.
func ownMatter(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[config.Pos](), reflect.TypeFor[[]config.ErrorLog](), reflect.TypeFor[[]config.AccessLog]():
		return true
	}
	return false
}

// anywhere is a listen directive without the address and port, which are each
// node's own; what is said of it beside them stays.
func anywhere(l config.Listen) config.Listen {
	l.Text, l.Host, l.Port, l.Unix, l.Addr = "", "", 0, "", netip.AddrPort{}
	return l
}

// asWritten is an upstream without the servers of its state file, which each
// node writes anew when they change, and reads at its own start.
func asWritten(u config.Upstream) config.Upstream {
	if u.State != "" {
		u.Servers = nil
	}
	return u
}

// textOf gives the text of a value of another package, such as an address,
// whose fields are its own business.
func textOf(v reflect.Value) (string, bool) {
	if strings.HasPrefix(v.Type().PkgPath(), reflect.TypeFor[config.Config]().PkgPath()) || !v.CanInterface() {
		return "", false
	}
	s, ok := v.Interface().(fmt.Stringer)
	if !ok {
		return "", false
	}
	return s.String(), true
}
