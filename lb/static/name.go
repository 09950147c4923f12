package static

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// fileName puts a root, or an alias, and what follows it together. It is
// false where the name would lead out of the directory or could not be a
// file's: a segment "..", or a NUL.
func fileName(r *request.Request, root, rest []byte) (name []byte, ok bool) {
	if leadsUp(rest) || bytes.IndexByte(rest, 0) >= 0 {
		return nil, false
	}
	arena := r.Arena()
	return arena.Keep(append(append(arena.Take(), root...), rest...)), true
}

// rest returns what of the path follows the root or the alias: with an alias
// the part behind the location's prefix.
func rest(r *request.Request) []byte {
	switch {
	case !r.Alias:
		return r.Path
	case r.AliasCut < 0 || r.AliasCut > len(r.Path):
		return nil
	}
	return r.Path[r.AliasCut:]
}

// leadsUp tells whether a segment of a path is "..". Paths of clients have
// none, but what an alias cuts ("/files" off "/files../x") or a variable
// brings may.
func leadsUp(path []byte) bool {
	for at := 0; ; {
		i := bytes.Index(path[at:], []byte(".."))
		if i < 0 {
			return false
		}
		i += at
		if (i == 0 || path[i-1] == '/') && (i+2 == len(path) || path[i+2] == '/') {
			return true
		}
		at = i + 1
	}
}
