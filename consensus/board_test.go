package consensus

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// follow hands states on, one every 10 ms for four seconds, to a node that takes
// 50 ms for each. It returns how many it was handed, and the longest that await
// was away, which is called for each state.
func follow(t *testing.T, await func(c *Consensus, index uint64)) (handed int, longest time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	last := uint64(0)
	c := &Consensus{board: newBoard(), ctx: ctx, o: Options{OnState: func(s *State) {
		time.Sleep(50 * time.Millisecond) // in a bubble of fake time
		handed, last = handed+1, s.index
	}}}
	go c.publish()
	for index := range uint64(400) {
		time.Sleep(10 * time.Millisecond)
		c.board.put(&State{index: index + 1})
		began := time.Now()
		await(c, index+1)
		longest = max(longest, time.Since(began))
	}
	time.Sleep(time.Second)
	synctest.Wait()
	if last != 400 {
		t.Errorf("the last state handed on is %d", last)
	}
	cancel()
	synctest.Wait()
	return handed, longest
}

// TestFollowingIsPaced: where nobody waits, states that take long to put in force
// take a small part of the time; the newest is put in force in the end.
func TestFollowingIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if handed, _ := follow(t, func(*Consensus, uint64) {}); handed < 12 || handed > 18 {
			t.Errorf("%d of 400 states were handed on in 4 s", handed)
		}
	})
}

// TestWhoWaitsIsNotPaced: who waits for a state waits for no more than the one
// that is being put in force, and for its own.
func TestWhoWaitsIsNotPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handed, longest := follow(t, func(c *Consensus, index uint64) {
			if err := c.WaitIndex(c.ctx, index); err != nil {
				t.Error(err)
			}
		})
		if handed != 400 || longest > 100*time.Millisecond {
			t.Errorf("%d of 400 states were handed on, the longest wait was %v", handed, longest)
		}
	})
}
