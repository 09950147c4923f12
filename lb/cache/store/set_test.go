package store

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "cache"), link); err != nil {
		t.Fatal(err)
	}
	var set Set
	o := Options{Name: "one", Path: filepath.Join(dir, "cache"), Levels: []int{1}, KeysSize: 1 << 20}
	first, err := set.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	first.Start(o)
	put(t, first, "a", []byte("body"))
	for _, path := range []string{o.Path, o.Path + "/", dir + "/./cache", link} {
		same := o
		same.Path = path
		z, err := set.Open(same)
		if err != nil || z != first {
			t.Errorf("%s: another zone, %v", path, err)
			continue
		}
		z.Close()
	}
	other := o
	other.Levels = []int{1, 2}
	if _, err := set.Open(other); err == nil || err.Error() != `cache "one" had previously different levels: "1"` {
		t.Errorf("other levels: %v", err)
	}
	other.Path = filepath.Join(dir, "other")
	second, err := set.Open(other)
	if err != nil || second == first {
		t.Errorf("another directory: %v", err)
	}
	second.Close() // though it was never started
	first.Close()
	again, err := set.Open(o)
	if err != nil || again == first {
		t.Fatalf("after the last Close: %v", err)
	}
	again.Start(o)
	if e := get(again, "a"); e == nil {
		t.Error("what was stored is lost")
	} else {
		e.Release()
	}
	again.Close()
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for text, o := range map[string]Options{
		"a cache needs a directory and a size for its keys":          {Path: "/x"},
		`cache "a": 4 levels of directories, at most 3 are possible`: {Name: "a", Path: "/x", KeysSize: 1, Levels: []int{1, 1, 1, 1}},
		`cache "a": a level of 3 digits, 1 or 2 are possible`:        {Name: "a", Path: "/x", KeysSize: 1, Levels: []int{1, 3}},
	} {
		if _, err := new(Set).Open(o); err == nil || err.Error() != text {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestAcrossDisks makes files in a directory in memory and keeps them on disk,
// where the system has both.
func TestAcrossDisks(t *testing.T) {
	t.Parallel()
	temp := memoryDir(t)
	o := Options{Levels: []int{1, 2}, Path: filepath.Join(t.TempDir(), "cache"), TempPath: temp}
	z := newTestZone(t, o)
	body := bodyFor("a", 200_000)
	put(t, z, "a", body)
	e := get(z, "a")
	if e == nil {
		t.Fatal("a miss")
	}
	defer e.Release()
	if string(bodyOf(t, e)) != string(body) {
		t.Error("another body")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
