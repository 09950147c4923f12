package node

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, group, machine string
		want                 int64
	}{
		{"nothing known", "", "", 0},
		{"machine", "", "MemTotal:        1024 kB\nMemFree: 1 kB\n", 1 << 20},
		{"no limit of the group", "max\n", "MemTotal: 1024 kB\n", 1 << 20},
		{"group", "4096\n", "MemTotal: 1024 kB\n", 4096},
		{"group above the machine", "99999999999\n", "MemTotal: 1024 kB\n", 1 << 20},
		{"unreadable", "lots", "Mem?", 0},
	}
	for _, tt := range tests {
		read := func(name string) ([]byte, error) {
			text := tt.machine
			if strings.HasPrefix(name, "/sys/") {
				text = tt.group
			}
			if text == "" {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		}
		if got := memoryLimit(read); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestIdleMemory: memory is given back when there is much and nothing goes on,
// and not again and again.
func TestIdleMemory(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	start := time.Now()
	var m idleMemory
	for _, look := range []struct {
		at               time.Duration
		allocated, spare uint64
		want             bool
	}{
		{0, 100 * mb, 80 * mb, false}, // a configuration was read just now
		{5 * time.Second, 101 * mb, 80 * mb, true},
		{10 * time.Second, 102 * mb, 1 * mb, false},
		{15 * time.Second, 180 * mb, 70 * mb, false},
		{20 * time.Second, 181 * mb, 70 * mb, false}, // so soon
		{65 * time.Second, 190 * mb, 70 * mb, false}, // busy since
		{70 * time.Second, 190 * mb, 70 * mb, true},
		{200 * time.Second, 191 * mb, 15 * mb, false}, // not worth it
	} {
		if got := m.due(heap{look.allocated, look.spare}, start.Add(look.at)); got != look.want {
			t.Errorf("after %s: %t", look.at, got)
		}
	}
}

// TestReadHeap: what is garbage counts as spare.
func TestReadHeap(t *testing.T) {
	before := readHeap()
	garbage := make([][]byte, 64)
	for i := range garbage {
		garbage[i] = make([]byte, 1<<20)
	}
	runtime.KeepAlive(garbage)
	after := readHeap()
	if after.allocated-before.allocated < 60<<20 || after.spare == 0 {
		t.Errorf("%+v, then %+v", before, after)
	}
}
