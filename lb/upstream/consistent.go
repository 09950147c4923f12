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
	points  []point
	members [][]int32 // positions in the group, by name
}

type point struct {
	hash uint32
	name uint32 // index into members
}

func (consistent) prepare(g *group) { g.table = newRing(g) }

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

func newRing(g *group) *ring {
	r := &ring{}
	index := map[string]uint32{}
	drawn := map[string]int{} // points of the name so far
	for i := range g.peers {
		server := g.peers[i].Server
		name, ok := index[server]
		if !ok {
			name = uint32(len(r.members))
			index[server] = name
			r.members = append(r.members, nil)
		}
		r.members[name] = append(r.members[name], int32(i))
		n := int(g.slots[i].weight) * pointsPerWeight
		r.draw(server, name, drawn[server], n)
		drawn[server] = max(drawn[server], n)
	}
	// Where two servers meet in one point, it belongs to the earlier line.
	slices.SortStableFunc(r.points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	r.points = slices.CompactFunc(r.points, func(a, b point) bool { return a.hash == b.hash })
	return r
}

// draw adds the points from to n of a server. Each is computed from the one
// before, so the first ones of a name are the same however many there are.
func (r *ring) draw(server string, name uint32, from, n int) {
	host, port := splitServer(server)
	base := crc32.ChecksumIEEE([]byte(host + "\x00" + port))
	var prev [4]byte
	for i := range n {
		hash := crc32.Update(base, crc32.IEEETable, prev[:])
		if i >= from {
			r.points = append(r.points, point{hash, name})
		}
		binary.LittleEndian.PutUint32(prev[:], hash)
	}
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
