package upstream

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sort"
	"strings"
)

// consistent binds a key to a peer by a ring of points (ketama), compatible
// with Cache::Memcached::Fast: when a server comes or goes, few keys move.
type consistent struct{}

// pointsPerWeight is how many points a server has on the ring for each unit
// of its weight.
const pointsPerWeight = 160

// ring is the prepared table of a group. All peers of one server name, such as
// the addresses of one host, share the points of the name.
type ring struct {
	points  []point   // sorted by hash, which is of one only
	members [][]int32 // positions in the group, by name
	hidden  []point   // that have the hash of an earlier server's
	servers []string  // by name
	drawn   []int     // points, by name
}

type point struct {
	hash uint32
	name uint32 // index into members
}

// order is that of points on the ring. Where two servers meet in one, it belongs
// to the earlier line.
func (p point) order() uint64 { return uint64(p.hash)<<32 | uint64(p.name) }

func (consistent) prepare(g, before *group) {
	r, known := newRing(g), &ring{}
	if before != nil {
		known = before.table.(*ring)
	}
	r.place(known)
	g.table = r
}

func (consistent) pick(g *group, a *PickArgs, now int64) int {
	r := g.table.(*ring)
	if a.rounds > maxRounds || len(a.Key) == 0 || len(r.points) == 0 {
		return roundRobin{}.pick(g, a, now)
	}
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	if !a.seeded {
		a.seeded, a.hash = true, r.find(crc32.ChecksumIEEE(a.Key))
	}
	for {
		name := r.points[a.hash%uint32(len(r.points))].name
		if i := g.turnAmong(r.members[name], a, now); i >= 0 {
			return i
		}
		a.hash++
		if a.rounds++; a.rounds > maxRounds {
			return roundRobin{}.pick(g, a, now)
		}
	}
}

// turnAmong is smooth round robin among some positions of the group.
func (g *group) turnAmong(members []int32, a *PickArgs, now int64) int {
	open := g.loads.equal[:0]
	for _, i := range members {
		if s := &g.slots[i]; s.open(s.hot, now) && !a.tried.has(int(i)) {
			open = append(open, i)
		}
	}
	best, total := g.turnOf(open)
	if best >= 0 {
		g.turns[best].current -= total
	}
	return best
}

// newRing returns a ring of the names of a group, without their points.
func newRing(g *group) *ring {
	r := &ring{}
	index := make(map[string]uint32, len(g.peers))
	names, sizes := make([]uint32, len(g.peers)), []int{}
	for i := range g.peers {
		server := g.peers[i].Server
		name, ok := index[server]
		if !ok {
			name = uint32(len(r.servers))
			index[server] = name
			r.servers, r.drawn, sizes = append(r.servers, server), append(r.drawn, 0), append(sizes, 0)
		}
		names[i] = name
		sizes[name]++
		r.drawn[name] = max(r.drawn[name], int(g.slots[i].weight)*pointsPerWeight)
	}
	r.members = make([][]int32, len(sizes))
	rest := make([]int32, len(names))
	for name, n := range sizes {
		r.members[name], rest = rest[:0:n], rest[n:]
	}
	for i, name := range names {
		r.members[name] = append(r.members[name], int32(i))
	}
	return r
}

// place puts the points of all names on the ring. Those of names that the ring
// so far has as well are taken from there: with ten thousand servers, to draw
// and sort the points of all takes a thousand times as long as those of one.
func (r *ring) place(known *ring) {
	var lone []point
	now := r.renamed(known)
	stay := make([]bool, len(r.servers))
	for _, name := range now {
		if name >= 0 {
			stay[name] = true
		}
	}
	for name := range r.servers {
		if !stay[name] {
			lone = r.draw(lone, uint32(name))
		}
	}
	for _, p := range known.hidden {
		if name := now[p.name]; name >= 0 {
			lone = append(lone, point{p.hash, uint32(name)})
		}
	}
	slices.SortFunc(lone, func(p, q point) int { return cmp.Compare(p.order(), q.order()) })
	r.points = make([]point, 0, len(known.points)+len(lone))
	for _, p := range known.points {
		name := now[p.name]
		if name < 0 {
			continue
		}
		p.name = uint32(name)
		for len(lone) > 0 && lone[0].order() < p.order() {
			r.add(lone[0])
			lone = lone[1:]
		}
		r.add(p)
	}
	for _, p := range lone {
		r.add(p)
	}
}

// add puts the next point on the ring, or under the one that is there.
func (r *ring) add(p point) {
	if n := len(r.points); n > 0 && r.points[n-1].hash == p.hash {
		r.hidden = append(r.hidden, p)
		return
	}
	r.points = append(r.points, p)
}

// renamed returns what the names of another ring are in r, -1 for those that are
// not there, or with another number of points.
func (r *ring) renamed(known *ring) []int {
	now := make([]int, len(known.servers))
	if len(now) == 0 {
		return now
	}
	index := make(map[string]int, len(r.servers))
	for name, server := range r.servers {
		index[server] = name
	}
	for i, server := range known.servers {
		name, ok := index[server]
		if !ok || r.drawn[name] != known.drawn[i] {
			name = -1
		}
		now[i] = name
	}
	return now
}

// draw appends the points of a name. Each is computed from the one before, so
// the first ones of a name are the same however many there are.
func (r *ring) draw(points []point, name uint32) []point {
	host, port := splitServer(r.servers[name])
	base := crc32.ChecksumIEEE([]byte(host + "\x00" + port))
	var prev [4]byte
	for range r.drawn[name] {
		hash := crc32.Update(base, crc32.IEEETable, prev[:])
		points = append(points, point{hash, name})
		binary.LittleEndian.PutUint32(prev[:], hash)
	}
	return points
}

// splitServer splits a server as written into host and port. The port is empty
// when none is written: the default is not filled in.
func splitServer(server string) (host, port string) {
	if len(server) >= 5 && strings.EqualFold(server[:5], "unix:") {
		return server[5:], ""
	}
	digits := len(strings.TrimRight(server, "0123456789"))
	if digits > 0 && server[digits-1] == ':' {
		return server[:digits-1], server[digits:]
	}
	return server, ""
}

// find returns the index of the first point not before hash; it may be one
// past the last point, which means the first.
func (r *ring) find(hash uint32) uint32 {
	return uint32(sort.Search(len(r.points), func(i int) bool { return r.points[i].hash >= hash }))
}
