package consensus

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/weir-lb/weir/config/durable"
)

// Names in a data folder.
const (
	raftFolder       = "raft"
	storeFile        = "raft.db"
	recoveryFile     = "recover.json"
	quarantineFolder = "quarantine"
	imageFile        = "state/lkg.bin"
)

// keptSnapshots is how many snapshots of the log are kept.
const keptSnapshots = 3

func (o *Options) raftDir() string   { return filepath.Join(o.Dir, raftFolder) }
func (o *Options) storePath() string { return filepath.Join(o.raftDir(), storeFile) }

// boltOptions are those of every store. Freelists are not written: they are
// found again when the file is opened.
func boltOptions(readOnly bool) *bbolt.Options {
	return &bbolt.Options{Timeout: 5 * time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, ReadOnly: readOnly}
}

// closingStore is a store that is a file.
type closingStore interface {
	store
	Close() error
}

// memoryStore is a store that is none.
type memoryStore struct{ *raft.InmemStore }

// Close forgets nothing: there is nothing to close.
func (memoryStore) Close() error { return nil }

// openStore opens the store and the snapshots of the log.
func (o *Options) openStore(words *raftWords) (closingStore, raft.SnapshotStore, error) {
	if o.Dir == "" {
		return memoryStore{raft.NewInmemStore()}, raft.NewInmemSnapshotStore(), nil
	}
	if err := durable.MakeFolder(o.raftDir(), 0o700); err != nil {
		return nil, nil, err
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(o.raftDir(), keptSnapshots, words.logger())
	if err != nil {
		return nil, nil, fmt.Errorf("snapshots of the log: %w", err)
	}
	under, err := openBolt(o.storePath())
	if err != nil {
		return nil, nil, err
	}
	err = durable.SyncFolder(o.raftDir()) // the store may be new
	if err == nil {
		err = reserve(o.storePath(), reservedStore)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", o.storePath(), err), under.Close())
	}
	return under, snapshots, nil
}

// reservedStore is how large the file of a store is at least, in bytes: enough for
// the entries that stay behind a snapshot, and those up to the next.
const reservedStore = 4 << 20

// reserve writes zeros behind the end of a file up to a size. A write into space
// that a file has had on disk before changes nothing else there; one into new
// space waits for the journal of the file system, which is that of all who write
// to it, and for bbolt to grow its file.
func reserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil || at >= size {
		return err
	}
	_, err = f.Write(make([]byte, size-at))
	if err == nil {
		return f.Sync()
	}
	return errors.Join(err, f.Truncate(at))
}

// openBolt opens the store. What the library panics about is an error here.
func openBolt(path string) (s *raftboltdb.BoltStore, err error) {
	err = caught(func() (err error) {
		s, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions(false), MsgpackUseNewTimeFormat: true})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrStoreBusy)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

// What CheckStore says of a store.
var (
	// ErrStoreBusy says that another process has the store open; it may be sound.
	ErrStoreBusy = errors.New("the store is in use by another process")
	// ErrStoreDamaged says that the store, or a snapshot, is not what was written.
	ErrStoreDamaged = errors.New("the store is damaged")
)

// CheckStore looks through the log in a data folder: the pages of its file, and
// each entry. A folder without one is sound. It changes nothing. A damaged file
// can end the process in ways that nothing recovers, so it is to run in one that
// may end: however it does, unless without an error, or with ErrStoreBusy, the
// store is damaged.
func CheckStore(dir string) error {
	path := filepath.Join(dir, raftFolder, storeFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := caught(func() error { return checkBolt(path) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s: %w", path, ErrStoreBusy)
	}
	return fmt.Errorf("%s: %w: %w", path, ErrStoreDamaged, err)
}

// checkBolt checks the pages first, alone: only then may they be followed.
func checkBolt(path string) error {
	db, err := bbolt.Open(path, 0o600, boltOptions(true))
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to its end, or the transaction stays open
			if first == nil {
				first = err
			}
		}
		return first
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return checkEntries(path)
}

func checkEntries(path string) error {
	s, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions(true)})
	if err != nil {
		return err
	}
	return errors.Join(checkLog(s), s.Close())
}

// checkLog reads every entry. That one was written by a newer version is no
// damage.
func checkLog(s raft.LogStore) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	for i := first; i != 0 && i <= last; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil {
			return fmt.Errorf("log entry %d: %w", i, err)
		}
		if l.Index != i {
			return fmt.Errorf("log entry %d says that it is %d", i, l.Index)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		if _, err := Decode(l.Data); errors.Is(err, ErrDamaged) {
			return fmt.Errorf("log entry %d: %w", i, err)
		}
	}
	return nil
}

// quarantine moves what was found damaged out of the way, where an operator can
// look at it, and returns where to.
func (o *Options) quarantine(path string) (string, error) {
	to := filepath.Join(o.Dir, quarantineFolder, time.Now().UTC().Format("20060102T150405.000"))
	if err := durable.MakeFolder(to, 0o700); err != nil {
		return "", err
	}
	to = filepath.Join(to, filepath.Base(path))
	return to, durable.Rename(path, to)
}

// removeLeftovers removes what snapshots left that were never finished.
func (o *Options) removeLeftovers() error {
	if o.Dir == "" {
		return nil
	}
	dir := filepath.Join(o.raftDir(), "snapshots")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
