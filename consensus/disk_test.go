package consensus

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// failingDisk is a disk whose writes do what hook says, once it is there.
type failingDisk struct {
	store
	hook *atomic.Pointer[func() error]
}

func (d *failingDisk) fail() error {
	if f := d.hook.Load(); f != nil {
		return (*f)()
	}
	return nil
}

func (d *failingDisk) StoreLogs(l []*raft.Log) error {
	return errors.Join(d.fail(), d.store.StoreLogs(l))
}

func (d *failingDisk) Set(key, v []byte) error {
	return errors.Join(d.fail(), d.store.Set(key, v))
}

// breakable gives a node a disk that can fail.
func (n *testNode) breakable() *atomic.Pointer[func() error] {
	hook := &atomic.Pointer[func() error]{}
	n.o.wrap = func(s store) store { return &failingDisk{s, hook} }
	n.o.Timeouts.Store = 300 * time.Millisecond
	return hook
}

// A leader whose disk is full, or hangs, is followed by another, and is back
// when its disk is.
func TestDiskOfTheLeaderFails(t *testing.T) {
	inTime(t, func(t *testing.T) {
		hang := make(chan struct{})
		for what, fail := range map[string]func() error{
			"full":  func() error { return errors.New("no space left on device") },
			"hangs": func() error { <-hang; return nil },
		} {
			w := newNetwork(t)
			hooks := map[*testNode]*atomic.Pointer[func() error]{}
			for range 3 {
				node := w.add(t.TempDir(), 3)
				node.o.Timeouts.Write = 30 * time.Second // the disk alone is given 5 s
				hooks[node] = node.breakable()
				node.start()
			}
			w.settled()
			leader, others := w.leader()
			hooks[leader].Store(&fail)
			for id := ServerID(1); id < 4; id++ {
				if r, err := others[0].up().Propose(t.Context(), addServer(id)); err != nil || r.Code != Accepted {
					t.Errorf("%s: %+v, %v", what, r, err)
				}
			}
			w.eventually(what+": it says so", func() bool { return leader.says("interrupted on this node") })
			if leader.up().State().Cluster().ID == "" {
				t.Errorf("%s: it serves nothing", what)
			}
			hooks[leader].Store(nil)
			if what == "hangs" {
				close(hang)
			}
			w.eventually(what+": it is back", w.equal)
		}
	})
}

// A node whose disk turns read only tells so once, leaves agreement, and has
// others do what it is asked; it is back when the disk can be written again.
func TestDiskTurnsReadOnly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		hooks := map[*testNode]*atomic.Pointer[func() error]{}
		for range 3 {
			node := w.add(t.TempDir(), 3)
			hook := node.breakable()
			node.o.writable = func(dir string) error {
				if f := hook.Load(); f != nil {
					return (*f)()
				}
				return tryFolder(dir)
			}
			hooks[node] = hook
			node.start()
		}
		w.settled()
		readOnly := func() error { return &fs.PathError{Op: "write", Path: "x", Err: syscall.EROFS} }
		told := map[*testNode]int{}
		for _, what := range []string{"leader", "follower"} {
			node, others := w.leader()
			if what == "follower" {
				node, others[0] = others[0], node
			}
			told[node]++
			hooks[node].Store(&readOnly)
			for id := ServerID(1); id < 4; id++ {
				for _, asked := range []*testNode{others[1], node} {
					if r, err := asked.up().Propose(t.Context(), addServer(id)); err != nil || r.Code != Accepted {
						t.Errorf("%s: %+v, %v", what, r, err)
					}
				}
			}
			w.eventually(what+": it is out of agreement", func() bool { return strings.Contains(node.up().Status().Stopped, "read-only") })
			<-time.After(30 * time.Second) // it is tried again and again
			if text := strings.Join(node.lines(), ""); strings.Count(text, "interrupted on this node") != told[node] || strings.Count(text, "again") != told[node]-1 {
				t.Errorf("%s: it says %s", what, text)
			}
			if !has(others[1].up().State(), 3) || node.up().State().Cluster().ID == "" {
				t.Errorf("%s: the others, or it, serve nothing", what)
			}
			hooks[node].Store(nil)
			<-time.After(maxRetry)
			w.eventually(what+": it is back", w.equal)
			w.eventually(what+": it says so", func() bool { return strings.Count(strings.Join(node.lines(), ""), "in agreement again") == told[node] })
		}
	})
}

var checkDir = flag.String("check", "", "the data folder for TestCheckStoreInAnotherProcess")

// checked has CheckStore run in another process, as the program does.
func checked(dir string) error {
	out, err := exec.Command(os.Args[0], "-test.run=^TestCheckStoreInAnotherProcess$", "-check="+dir).CombinedOutput()
	if err != nil {
		out = out[:min(len(out), 200)]
		return fmt.Errorf("%w: %v: %s", ErrStoreDamaged, err, strings.ReplaceAll(string(out), "\n", " "))
	}
	return nil
}

// TestCheckStoreInAnotherProcess is what checked runs.
func TestCheckStoreInAnotherProcess(t *testing.T) {
	t.Parallel()
	if err := CheckStore(*checkDir); err != nil {
		t.Fatal(err)
	}
}

// A store that was damaged while the node was down is put aside; the node gets
// the log anew, without a vote until it has it.
func TestDamagedStores(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		for range 3 {
			node := w.add(t.TempDir(), 3)
			node.o.Check = checked
			node.start()
		}
		w.settled()
		for id := ServerID(1); id < 20; id++ {
			if _, err := w.all()[0].up().Propose(t.Context(), addServer(id)); err != nil {
				t.Fatal(err)
			}
		}
		node := w.all()[2]
		for what, damage := range damages() {
			node.stop()
			text, err := os.ReadFile(node.o.storePath())
			if err != nil {
				t.Fatal(err)
			}
			if text = damage(text); text == nil {
				err = os.Remove(node.o.storePath())
			} else {
				err = os.WriteFile(node.o.storePath(), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			node.start()
			if !has(node.up().State(), 1) {
				t.Errorf("%s: it serves nothing at first", what)
			}
			w.eventually(what+": it is back", func() bool { return w.equal() && node.followed() })
			aside, err := filepath.Glob(filepath.Join(node.o.Dir, quarantineFolder, "*", raftFolder, storeFile))
			if err != nil || (len(aside) == 1) != (text != nil) {
				t.Errorf("%s: put aside: %q", what, aside)
			}
			if err := os.RemoveAll(filepath.Join(node.o.Dir, quarantineFolder)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// followed reports whether the log of a node has brought it to where it is, and
// not the image alone.
func (n *testNode) followed() bool {
	e, _ := n.up().engine()
	i, ok := e.(*instance)
	return ok && i.machine.state().Index() == n.up().State().Index()
}

// damages are what can become of a store; nil: it is gone.
func damages() map[string]func([]byte) []byte {
	return map[string]func([]byte) []byte{
		"gone":      func([]byte) []byte { return nil },
		"cut off":   func(b []byte) []byte { return b[:3*4096] },
		"no meta":   func(b []byte) []byte { clear(b[:8192]); return b },
		"garbage":   func(b []byte) []byte { copy(b[8192:], bytes.Repeat([]byte("garbage "), (len(b)-8192)/8)); return b },
		"bits flip": flipEntries,
	}
}

// flipEntries changes the payload of every command in a store.
func flipEntries(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte(`"name"`), []byte(`"nbme"`))
}

// A snapshot that is damaged is noticed, and so is an image.
func TestDamagedSnapshotAndImage(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, t.TempDir)
		_, others := w.leader()
		node := others[0]
		e, _ := node.up().engine()
		if err := e.(*instance).raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		node.stop()
		files, err := filepath.Glob(filepath.Join(node.o.raftDir(), "snapshots", "*", "state.bin"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		for _, path := range []string{files[0], filepath.Join(node.o.Dir, imageFile)} {
			if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		node.start()
		w.eventually("it is back", func() bool { return w.equal() && node.followed() })
		if !node.says("quarantine") || !node.says(ErrSnapshot.Error()) {
			t.Errorf("it says %q", node.lines())
		}
	})
}

// A node that is alone and whose store is damaged goes on with what it served
// last.
func TestAloneWithADamagedStore(t *testing.T) {
	inTime(t, func(t *testing.T) {
		o := Options{Dir: t.TempDir(), ID: "00000000000000000000000000000001", Timeouts: Timeouts{Retry: time.Millisecond}}
		c, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Propose(t.Context(), addServer(1)); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.storePath(), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		for id := ServerID(2); id < 4; id++ {
			if c, err = Open(o); err != nil {
				t.Fatal(err)
			}
			if r, err := c.Propose(t.Context(), addServer(id)); err != nil || r.Code != Accepted || !has(c.State(), 1) || !has(c.State(), id) {
				t.Errorf("%+v, %v", r, err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Before the disk is full the node stops leading, and then writing; it comes
// back when there is room again.
func TestSpace(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		free := map[*testNode]*atomic.Uint64{}
		for range 3 {
			node, left := w.add(t.TempDir(), 3), &atomic.Uint64{}
			left.Store(1 << 40)
			free[node], node.o.free = left, func(string) (uint64, error) { return left.Load(), nil }
			node.start()
		}
		w.settled()
		leader, _ := w.leader()
		free[leader].Store(lowSpace - 1)
		w.eventually("another leads", func() bool { return leader.up().Status().Part == PartFollower })
		free[leader].Store(tinySpace - 1)
		w.eventually("it takes no part", func() bool { return strings.Contains(leader.up().Status().Stopped, errSpace.Error()) })
		if r, err := w.all()[0].up().Propose(limit(t, 20*time.Second), addServer(1)); leader != w.all()[0] && (err != nil || r.Code != Accepted) {
			t.Errorf("the others: %+v, %v", r, err)
		}
		if r, err := leader.up().ProposeWithin(limit(t, 5*time.Second), addServer(2), 5*time.Second); err != nil || r.Code != Accepted {
			t.Errorf("through it: %+v, %v", r, err)
		}
		var none *NoQuorumError
		if _, err := leader.up().Read(limit(t, time.Second)); !errors.As(err, &none) || !none.Interrupted || !errors.Is(none.Why, errSpace) {
			t.Errorf("what it does not know: %v", err)
		}
		<-time.After(500 * time.Millisecond) // several looks at the disk, as the log is to be opened
		free[leader].Store(1 << 40)
		w.eventually("it is back", w.equal)
		w.eventually("it says so", func() bool { return leader.says("takes part in agreement again") })
		if n := leader.count("agreement is interrupted"); n != 1 {
			t.Errorf("said %d times", n)
		}
	})
}

// A quorum that is lost for good is made anew of one node. The others come back
// to it, whatever they know, when they can.
func TestRecover(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, t.TempDir)
		all := w.all()
		all[1].stop()
		if _, err := all[0].up().Propose(t.Context(), addServer(1)); err != nil {
			t.Fatal(err)
		}
		w.eventually("two have it", w.equal)
		all[2].stop()
		left := all[0].up()
		id := left.State().Cluster().ID
		w.eventually("no leader", func() bool { id, _ := left.Leader(); return id == "" })
		if err := left.Recover("another"); err == nil {
			t.Error("without the id of the cluster")
		}
		if err := left.Recover(id); err != nil {
			t.Fatal(err)
		}
		if r, err := left.Propose(limit(t, 10*time.Second), addServer(2)); err != nil || r.Code != Accepted || !has(left.State(), 1) {
			t.Fatalf("%+v, %v", r, err)
		}
		w.eventually("it has a new epoch", func() bool { return left.State().Cluster().Epoch == 1 })
		if err := left.Recover(id); err == nil {
			t.Error("while there is a leader")
		}
		all[1].start()
		all[2].start()
		w.eventually("all are one cluster", func() bool {
			return w.equal() && all[1].followed() && all[2].followed()
		})
		if s := all[2].up().State(); !has(s, 1) || !has(s, 2) || s.Cluster().Epoch != 1 {
			t.Errorf("%+v", s.Cluster())
		}
	})
}

func TestCheckStoreOfNothing(t *testing.T) {
	t.Parallel()
	if err := CheckStore(t.TempDir()); err != nil {
		t.Error(err)
	}
	if free, err := freeSpace(t.TempDir()); err != nil || free == 0 {
		t.Errorf("%d, %v", free, err)
	}
	if _, err := freeSpace("/nowhere"); err == nil {
		t.Error("of a folder that is not there")
	}
}

// The space of a store is there before it is needed; what is in it stays.
func TestReserve(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := reserve(path, 8); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	for _, c := range []struct{ before, after string }{{"abc", "abc\x00\x00\x00\x00\x00"}, {"abcdefgh", "abcdefgh"}, {"abcdefghi", "abcdefghi"}} {
		if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := reserve(path, 8); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.after {
			t.Errorf("%q became %q, %v", c.before, got, err)
		}
	}
}
