package node

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/weir-lb/weir/consensus"
)

// TestStoreCheck: only what is damaged for sure is called damaged.
func TestStoreCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script  string
		fails   bool
		damaged bool
	}{
		{"exit 0", false, false},
		{"exit 1", true, false},
		{"exit 2", true, true},
		{"exit 3", true, true},
		{"kill -SEGV $$", true, true},
		{"kill -BUS $$", true, true},
		{"kill -KILL $$", true, false},
	} {
		o := Options{StoreCheck: func(string) (*exec.Cmd, error) { return exec.Command("/bin/sh", "-c", "echo why; "+c.script), nil }}
		err := o.checkStore("/nowhere")
		if (err != nil) != c.fails || errors.Is(err, consensus.ErrStoreDamaged) != c.damaged {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	gone := Options{StoreCheck: func(string) (*exec.Cmd, error) { return exec.Command("/nowhere/weir"), nil }}
	if err := gone.checkStore(t.TempDir()); err != nil {
		t.Errorf("a store that is not there yet: %v", err)
	}
}
