package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
)

// Set holds the zones of one balancer by their directories, so that a zone
// outlives the configurations that name it. The zero Set is ready; it is safe
// for concurrent use.
type Set struct {
	mu    sync.Mutex
	zones map[string]*Zone
}

// Open returns the zone of a directory, and makes it where there is none yet.
// It touches no file and changes nothing of a zone that is in use: Start does,
// when the configuration comes into force. Each Open is followed by a Close in
// the end. One configuration that gets the same zone for two names has a
// mistake. It is an error if the directory is in use with other levels, since
// no file would be found again.
func (s *Set) Open(o Options) (*Zone, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	id := identity(o.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[id]
	if z == nil {
		z = newZone(o)
		z.set, z.id = s, id
		if s.zones == nil {
			s.zones = map[string]*Zone{}
		}
		s.zones[id] = z
	} else if was := z.levels; !slices.Equal(was, o.Levels) {
		return nil, fmt.Errorf("cache %q had previously different levels: %q", o.Name, levels(was))
	}
	z.users++
	return z, nil
}

// identity is the directory without links, as far as it exists.
func identity(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// Close gives up one Open. With the last one the zone's work in the background
// ends, and its files in use are closed when their users release them.
func (z *Zone) Close() {
	s := z.set
	s.mu.Lock()
	z.users--
	last := z.users == 0
	if last {
		delete(s.zones, z.id)
	}
	s.mu.Unlock()
	if last {
		z.end()
	}
}
