package wire_test

import (
	"io"
	"testing"
	"time"
)

// What an idle stream gives back are not the records that still wait for room,
// and a write that waits does not hold it up.
func TestRestKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	s, raw := pair(t)
	far := secure(t, s, raw)
	s.PartWrites()
	piece := make([]byte, 64<<10)
	total := 0
	for ; !s.Pending(); total += len(piece) {
		if _, err := s.Offer(0, piece); err != nil {
			t.Fatal(err)
		}
	}
	s.Rest()
	if !s.Pending() {
		t.Fatal("the records are gone")
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.Write(piece)
		written <- err
	}()
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; { // the write waits by then
		if s.Rest(); time.Since(begun) > patience/2 {
			t.Fatal("held up by the write")
		}
	}
	if n, err := io.CopyN(io.Discard, far, int64(total+len(piece))); err != nil {
		t.Fatalf("%d bytes: %v", n, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
