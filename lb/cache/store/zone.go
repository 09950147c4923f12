package store

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Zone is the cache of one directory. Its methods are safe for concurrent use.
type Zone struct {
	set   *Set
	id    string // in the set
	users int    // guarded by set.mu

	path   string
	levels []int
	sys    system
	seed   uint64
	conf   atomic.Pointer[Options]

	shards   []shard // a power of two
	keys     atomic.Int64
	blocks   atomic.Int64
	memory   atomic.Int64 // bytes of live entries
	files    atomic.Int64 // open files of live entries
	maxFiles atomic.Int64
	turn     atomic.Uint32 // of the shards when live entries must go
	loading  atomic.Bool   // files may exist that the index does not know
	stamped  atomic.Int64  // what stamp told last

	// paths keep renaming and removing of one file, and the record of it, in
	// one order. They are locked before a shard, and held over system calls.
	paths   [64]sync.Mutex
	buffers sync.Pool // of *[copyBuffer]byte

	expected expectations
	rules    rules
	faults   faults
	work     work
}

const copyBuffer = 64 << 10

// maxShards are enough for the processors of a large machine.
const maxShards = 64

// keysPerShard is below how many keys a shard is not worth its lock.
const keysPerShard = 512

func newZone(o Options) *Zone {
	z := &Zone{path: o.Path, levels: slices.Clone(o.Levels), sys: realSystem{}, seed: rand.Uint64()}
	n := 1
	for n < maxShards && int64(n)*keysPerShard*2 <= o.maxKeys() {
		n *= 2
	}
	z.shards = make([]shard, n)
	for i := range z.shards {
		z.shards[i].init()
	}
	z.conf.Store(&o)
	z.loading.Store(true)
	z.expected.init()
	z.work.init()
	return z
}

// fileBound is how many files a zone keeps open: an eighth of what the process
// may, so that connections do not want for them.
func fileBound() int64 {
	const most = 1024
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 8*most {
		return most
	}
	return max(int64(limit.Cur/8), 8)
}

// locate finds the shard of a key and its hash there.
func (z *Zone) locate(key *Key) (*shard, uint64) {
	h := spread(key.group(), z.seed)
	return &z.shards[h&uint64(len(z.shards)-1)], h
}

// lockPath keeps others from moving the file of a key.
func (z *Zone) lockPath(key *Key) *sync.Mutex {
	mu := &z.paths[key[0]%byte(len(z.paths))]
	mu.Lock()
	return mu
}

// Name returns the zone's name in the configuration that started last.
func (z *Zone) Name() string { return z.conf.Load().Name }

// Path returns the zone's directory.
func (z *Zone) Path() string { return z.path }

// Get returns the entry of a key, to be released, or nil. The text guards
// against two texts with one key; now, in seconds of Unix time, is when the
// entry counts as used. An entry in memory or with its file open is found
// without a system call or allocation.
func (z *Zone) Get(key Key, text []byte, now int64) *Entry {
	s, hash := z.locate(&key)
	s.mu.Lock()
	i := s.find(&key, hash)
	if i == 0 {
		removed := s.removed
		s.mu.Unlock()
		if !z.loading.Load() {
			return nil
		}
		return z.open(sought{key: key, text: text, now: now, removed: removed})
	}
	rec := &s.records[i]
	s.touch(i, uint32(now))
	if rec.live == 0 {
		want := sought{key: key, text: text, now: now, removed: s.removed, proof: rec.proof}
		stored := rec.blocks != 0
		s.mu.Unlock()
		if !stored && !z.loading.Load() {
			return nil
		}
		return z.open(want)
	}
	e := s.live.entries[rec.live]
	if !bytes.Equal(e.text, text) {
		s.mu.Unlock()
		return nil
	}
	s.live.touch(e)
	e.retain()
	promote := false
	if at := e.body.promoteAt(); e.hits < at {
		e.hits++
		promote = e.hits == at && e.body.file != nil && e.body.length <= z.memoryBody()
	}
	s.mu.Unlock()
	if e.altered() {
		return z.reopen(e, now)
	}
	if promote {
		return z.promote(e)
	}
	return e
}

// Count notes one more use of a key that is perhaps not stored, for min_uses,
// and returns how many there were since it was last forgotten.
func (z *Zone) Count(key Key, now int64) int {
	z.makeRoom(&key)
	s, hash := z.locate(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := z.record(s, &key, hash, uint32(now))
	s.touch(i, uint32(now))
	if r := &s.records[i]; r.uses < 1<<16-1 {
		r.uses++
	}
	return int(s.records[i].uses)
}

// record returns the record of a key, a new one where there is none.
func (z *Zone) record(s *shard, key *Key, hash uint64, now uint32) uint32 {
	i := s.find(key, hash)
	if i == 0 {
		i = s.insert(key, hash, now)
		s.grow(z.hash)
		z.keys.Add(1)
	}
	return i
}

func (z *Zone) hash(key *Key) uint64 {
	_, h := z.locate(key)
	return h
}

// drop takes a record out of the index; its live entry is returned to be
// released without the lock.
func (z *Zone) drop(s *shard, i uint32, hash uint64) *Entry {
	rec := &s.records[i]
	e := z.quiet(s, rec)
	z.blocks.Add(-int64(rec.blocks))
	z.keys.Add(-1)
	s.removed++
	s.remove(i, hash)
	return e
}

// settle sets the size of a record's file.
func (z *Zone) settle(rec *record, size int64) {
	blocks := max(blocksOf(size), 1)
	z.blocks.Add(int64(blocks) - int64(rec.blocks))
	rec.blocks = blocks
}

// Delete removes an entry, unless another has taken its place. The caller
// still releases it.
func (z *Zone) Delete(e *Entry) {
	_, _ = z.removeFile(e.key, e.proof) // a failure is logged
}

// Stats are the sizes of a zone at one moment.
type Stats struct {
	Size    int64 // of the files, in bytes
	MaxSize int64 // 0: unbounded
	Cold    bool  // files of an earlier process are still being found
	Keys    int64
	MaxKeys int64
	Memory  int64 // bytes of entries that are open or held in memory
	Files   int64 // open files
}

// Stats returns the zone's sizes.
func (z *Zone) Stats() Stats {
	o := z.conf.Load()
	return Stats{
		Size: z.blocks.Load() * blockSize, MaxSize: o.MaxSize, Cold: z.loading.Load(),
		Keys: z.keys.Load(), MaxKeys: o.maxKeys(), Memory: z.memory.Load(), Files: z.files.Load(),
	}
}

// Start gives the zone the settings of a configuration that comes into force,
// and begins its work in the background with the first. What it cannot do, it
// logs: requests go without the cache then.
func (z *Zone) Start(o Options) {
	if err := o.validate(); err != nil {
		return // Open has refused these
	}
	z.conf.Store(&o)
	z.maxFiles.Store(fileBound())
	if err := z.sys.Mkdir(z.path); err != nil && !errors.Is(err, fs.ErrExist) {
		z.faults.report(z, faultWrite, err)
	}
	if o.TempPath != "" {
		if err := z.sys.MkdirAll(o.TempPath); err != nil {
			z.faults.report(z, faultWrite, err)
		}
	}
	z.work.start(z)
}

func unixNano() int64 { return time.Now().UnixNano() }

// stamp is the time, in nanoseconds of Unix time, but later than what it told
// before, though the clock be set back: what a purge hits is told by it.
func (z *Zone) stamp() int64 {
	for {
		last := z.stamped.Load()
		now := max(unixNano(), last+1)
		if z.stamped.CompareAndSwap(last, now) {
			return now
		}
	}
}
