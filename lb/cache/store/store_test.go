package store

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
)

// newTestZone starts a zone on a directory of its own, which logs to the test.
func newTestZone(t testing.TB, o Options) *Zone {
	t.Helper()
	if o.Path == "" {
		o.Path = t.TempDir()
	}
	if o.KeysSize == 0 {
		o.KeysSize = 1 << 20
	}
	if o.Name == "" {
		o.Name = "test"
	}
	if o.Log == nil {
		o.Log = errorlog.NewFunc(errorlog.Warn, func(_ errorlog.Level, _ uint64, message string) { t.Log(message) })
	}
	z, err := new(Set).Open(o)
	if err != nil {
		t.Fatal(err)
	}
	z.Start(o)
	t.Cleanup(func() {
		if z.users > 0 {
			z.Close()
		}
	})
	return z
}

func put(t testing.TB, z *Zone, text string, body []byte) {
	t.Helper()
	f, err := z.Begin(FillOptions{Key: KeyOf([]byte(text)), Text: []byte(text), Meta: Meta{Status: 200, Head: []byte("head of " + text)}, Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

// bodyOf reads the body of an entry in the way its place asks for.
func bodyOf(t testing.TB, e *Entry) []byte {
	t.Helper()
	if mem, ok := e.Bytes(); ok {
		return mem
	}
	f, offset := e.File()
	got := make([]byte, e.Len())
	if _, err := f.ReadAt(got, offset); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return got
}

func get(z *Zone, text string) *Entry {
	return z.Get(KeyOf([]byte(text)), []byte(text), time.Now().Unix())
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	z := newTestZone(t, Options{Levels: []int{1, 2}, KeysSize: 8 << 20})
	for _, size := range []int{0, 1, 1000, smallBody, smallBody + 1, memoryBody, memoryBody + 1, 1 << 20} {
		body := bytes.Repeat([]byte("weir "), size/5+1)[:size]
		put(t, z, "key", body)
		for hit := range promoteLargeAt {
			e := get(z, "key")
			if e == nil {
				t.Fatalf("%d bytes, hit %d: a miss", size, hit)
			}
			if !bytes.Equal(bodyOf(t, e), body) || string(e.Meta().Head) != "head of key" {
				t.Errorf("%d bytes, hit %d: another entry", size, hit)
			}
			_, inMemory := e.Bytes()
			if want := size <= smallBody && hit+1 >= promoteAt || size <= memoryBody && hit+1 >= promoteLargeAt; inMemory != want {
				t.Errorf("%d bytes, hit %d: in memory: %v", size, hit, inMemory)
			}
			e.Release()
		}
	}
}
