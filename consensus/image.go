package consensus

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lb/weir/config/durable"
)

// The image is written when no change has come for imagePause, and while they
// keep coming after imageTurns pauses: to write a file as a whole makes the log,
// which is on the same disk, wait.
const (
	imagePause = time.Second
	imageTurns = 10
)

// loadImage shows the state that this node served last, so that it serves it
// before it has found a leader. An image that is damaged is put aside: it is a
// help, not the truth.
func (c *Consensus) loadImage() error {
	for _, dir := range []string{c.o.raftDir(), filepath.Dir(filepath.Join(c.o.Dir, imageFile))} {
		if err := durable.MakeFolder(dir, 0o700); err != nil {
			return fmt.Errorf("consensus: %w", err)
		}
	}
	path := filepath.Join(c.o.Dir, imageFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("consensus: %w", err)
	}
	defer f.Close()
	s, err := ReadSnapshot(bufio.NewReader(f))
	if err == nil {
		c.board.put(s)
		return nil
	}
	to, moveErr := c.o.quarantine(path)
	if moveErr != nil {
		return fmt.Errorf("consensus: %s: %w", path, errors.Join(err, moveErr))
	}
	c.o.Log.Warn(fmt.Sprintf("%s: %v; it was moved to %s", path, err, to))
	return nil
}

// publish hands new states on.
func (c *Consensus) publish() {
	for {
		select {
		case <-c.board.fresh:
			began := time.Now()
			c.board.hand(c.o.OnState)
			c.board.pause(c.ctx, time.Since(began))
		case <-c.ctx.Done():
			return
		}
	}
}

// saveImages writes the image after changes. It has a goroutine of its own: a
// disk that hangs must not keep states from being handed on.
func (c *Consensus) saveImages() {
	written, failing := c.State(), false
	save := func() {
		s := c.State()
		if s == written {
			return
		}
		err := c.saveImage(s)
		e, _ := c.engine()
		switch {
		case err == nil:
			written, failing = s, false
		case e != nil && !failing: // else it was told what ails the disk
			failing = true
			c.o.Log.Warn(fmt.Sprintf("the image of the agreed state: %v", err))
		}
	}
	tick := time.NewTicker(imagePause)
	defer tick.Stop()
	seen, turns := written, 0
	for {
		select {
		case <-tick.C:
			turns++
			if s := c.State(); s != seen && turns < imageTurns {
				seen = s
				continue
			}
			save()
			turns = 0
		case <-c.ctx.Done():
			save()
			return
		}
	}
}

// saveImage replaces the image as a whole.
func (c *Consensus) saveImage(s *State) error {
	path := filepath.Join(c.o.Dir, imageFile)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	// Requests are not repeated to an image, and what came of the last thousands of
	// them would be most of it.
	served := *s
	served.results = results{}
	w := bufio.NewWriter(f)
	if err = served.WriteSnapshot(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return durable.Rename(path+".tmp", path)
}
