package node

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

const (
	// gcPercent trades memory for fewer collections. A balancer's heap is small
	// and what it allocates beside its pooled buffers lives briefly.
	gcPercent = 400

	// memoryShare is the part of the machine's memory at which collections
	// become frequent whatever gcPercent says, so that it never costs the process.
	memoryShare = 0.7
)

// tuneMemory sets the collector's goals where the environment does not
// (GOGC, GOMEMLIMIT).
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := memoryLimit(os.ReadFile); limit > 0 {
		debug.SetMemoryLimit(int64(float64(limit) * memoryShare))
	}
}

// memoryLimit gives the bytes of memory that the process may use: those of its
// control group or of the machine, whichever is less; 0 if neither is known.
func memoryLimit(read func(string) ([]byte, error)) int64 {
	limit := int64(math.MaxInt64)
	// A file that is not there or not a number ("max") sets no limit.
	if text, err := read("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	if text, err := read("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			limit = min(limit, kilobytes*1024)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

// What idleMemory goes by.
const (
	idleLook  = 5 * time.Second
	idleQuiet = 4 << 20     // bytes allocated between two looks by a process that is quiet
	idleSpare = 16 << 20    // bytes of memory not in use that are worth a collection
	idlePause = time.Minute // between two collections at least
)

// idleMemory gives back the memory that something large has left behind: a
// configuration or a snapshot that was read, thousands of servers that were
// added, a list of them. The collector is paced by allocation, and keeps four
// times what is in use for the next time (gcPercent), so a process that has
// turned quiet would hold it for good. It belongs to one goroutine.
type idleMemory struct {
	allocated uint64    // since the start, at the last look
	last      time.Time // of giving back
}

// heap is what the runtime says of its memory, in bytes.
type heap struct {
	allocated uint64 // in all, since the start
	spare     uint64 // held, and not in use
}

// due reports whether it is worth its cost to give memory back now: there is
// much of it, and nothing is going on that would want it again at once.
func (m *idleMemory) due(h heap, now time.Time) bool {
	quiet := h.allocated-m.allocated < idleQuiet
	m.allocated = h.allocated
	if !quiet || h.spare < idleSpare || now.Sub(m.last) < idlePause {
		return false
	}
	m.last = now
	return true
}

// readHeap asks the runtime, which stops nothing for it.
func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	objects, live, free := s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()
	return heap{allocated: s[0].Value.Uint64(), spare: objects - min(live, objects) + free}
}

// watchMemory gives memory back from now on when that is due, unless the
// environment says how much is to be kept (GOGC).
func (n *Node) watchMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	end := make(chan struct{})
	go giveMemoryBack(end)
	n.onStop("ending the watch over memory", func() error {
		close(end)
		return nil
	})
}

func giveMemoryBack(end <-chan struct{}) {
	m := idleMemory{allocated: readHeap().allocated}
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case now := <-tick.C:
			if m.due(readHeap(), now) {
				debug.FreeOSMemory() // a collection, and no more of it in the minute to come
			}
		}
	}
}
