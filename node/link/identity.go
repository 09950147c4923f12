package link

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/weir-lb/weir/config/durable"
	"github.com/weir-lb/weir/config/errno"
)

// Names in a data folder.
const (
	identityFile = "node.json"
	lockFile     = "node.lock"
)

// NodeID names a node for as long as it keeps its data folder: 32 hexadecimal
// digits. A folder that was lost makes another node, whatever its host is called.
type NodeID = string

// Identity is who a node is.
type Identity struct {
	ID  NodeID
	Key ed25519.PrivateKey
	// Boot counts the starts of the node; Run tells apart two starts with one
	// number, which come of data that was copied or rolled back.
	Boot uint64
	Run  uint64

	lock  *os.File
	count func(*Identity, Owner) error // writes it to its folder; nil: that is done, or there is none
}

// identityJSON is the identity file.
type identityJSON struct {
	ID   NodeID `json:"id"`
	Seed []byte `json:"key"` // of the Ed25519 key
	Boot uint64 `json:"boot"`
}

// NewIdentity makes a node that never was before, without a data folder.
func NewIdentity() *Identity {
	id, seed := make([]byte, 16), make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(id) // it ends the process rather than fail
	_, _ = rand.Read(seed)
	return &Identity{ID: hex.EncodeToString(id), Key: ed25519.NewKeyFromSeed(seed), Boot: 1, Run: newRun()}
}

func newRun() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Owner is a user and a group by number, to whom a file is to belong; -1 for
// those of the process.
type Owner struct{ UID, GID int }

// OpenIdentity reads who the node of a data folder is, and counts its start on
// disk before it returns, unless there is no room: see Counted. In an empty folder it makes a new node. The folder is
// locked until Close: two processes must not be one node. A file that cannot be
// read is an error, never a new identity.
//
// What it writes belongs to owner, who may use the folder after a start that
// fails later on, too.
func OpenIdentity(dir string, owner Owner) (*Identity, error) {
	return openIdentity(dir, owner, func(i *Identity, owner Owner) error { return i.write(dir, owner) })
}

func openIdentity(dir string, owner Owner, count func(*Identity, Owner) error) (*Identity, error) {
	lock, err := lockFolder(filepath.Join(dir, lockFile), owner)
	if err != nil {
		return nil, err
	}
	i, err := readIdentity(filepath.Join(dir, identityFile))
	known := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		i, err = NewIdentity(), nil
		i.Boot = 0
	}
	if err == nil {
		i.Boot++
		err = count(i, owner)
	}
	if known && diskFails(err) {
		i.count, err = count, nil
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	i.lock = lock
	return i, nil
}

// diskFails reports whether a disk has no room, or does not work.
func diskFails(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
}

// Counted sees to it that the start of the node is on disk, and fails as long as
// the disk does. Until then the node may serve with what it has, but must not
// agree on anything: its next start would pass for this one. It is called by one
// goroutine at a time.
func (i *Identity) Counted() error {
	if i.count == nil {
		return nil
	}
	if err := i.count(i, Owner{-1, -1}); err != nil {
		return fmt.Errorf("its start cannot be counted: %w", err)
	}
	i.count = nil
	return nil
}

// Close unlocks the data folder.
func (i *Identity) Close() error {
	if i.lock == nil {
		return nil
	}
	return i.lock.Close()
}

// PublicKey is what other nodes know the node by.
func (i *Identity) PublicKey() ed25519.PublicKey { return i.Key.Public().(ed25519.PublicKey) }

func lockFolder(name string, owner Owner) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open() %q failed (%w)", name, errno.Of(err))
	}
	if err := f.Chown(owner.UID, owner.GID); err != nil {
		return nil, errors.Join(fmt.Errorf("fchown() %q failed (%w)", name, errno.Of(err)), f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("the data folder %q is in use by another process (%w)", filepath.Dir(name), errno.Of(err))
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readIdentity(name string) (*Identity, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("open() %q failed (%w)", name, errno.Of(err))
	}
	var j identityJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("%q is damaged: %w", name, err)
	}
	if !isNodeID(j.ID) || len(j.Seed) != ed25519.SeedSize || j.Boot == 0 {
		return nil, fmt.Errorf("%q is damaged: it names no node", name)
	}
	return &Identity{ID: j.ID, Key: ed25519.NewKeyFromSeed(j.Seed), Boot: j.Boot, Run: newRun()}, nil
}

// isNodeID tells whether s is 32 lower-case hexadecimal digits.
func isNodeID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == s
}

// write replaces the identity file; after it the new one is on the disk. It has
// its owner before it has its name.
func (i *Identity) write(dir string, owner Owner) error {
	text, err := json.Marshal(identityJSON{ID: i.ID, Seed: i.Key.Seed(), Boot: i.Boot})
	if err != nil {
		return err
	}
	name := filepath.Join(dir, identityFile)
	if err := writeSynced(name+".new", append(text, '\n'), owner); err != nil {
		return fmt.Errorf("writing %q: %w", name, errno.Of(err))
	}
	if err := durable.Rename(name+".new", name); err != nil {
		return fmt.Errorf("rename() to %q failed (%w)", name, errno.Of(err))
	}
	return nil
}

// writeSynced makes a file anew. One of the name may have been left by a crash;
// it is not written to, for it could be a link that the folder's owner made.
func writeSynced(name string, text []byte, owner Owner) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chown(owner.UID, owner.GID), f.Sync(), f.Close())
}
