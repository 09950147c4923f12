package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waiters are requests that wait for the peers of one upstream, on fake time.
type waiters struct {
	t      *testing.T
	start  time.Time
	roster *Roster
	table  Table
	queue  Queue

	mu   sync.Mutex
	told []string
	args map[string]*PickArgs // of those that have a peer
}

// newWaiters begins a story about an upstream, one "server" a word.
func newWaiters(t *testing.T, q Queue, servers ...Server) *waiters {
	w := &waiters{t: t, start: time.Now(), queue: q, args: map[string]*PickArgs{}}
	w.table.Now = w.now
	w.roster = commit(t, &w.table, Config{Name: "u", Queue: q, Servers: servers, AllowEmpty: true})
	return w
}

func (w *waiters) now() int64 { return int64(time.Since(w.start)) + int64(1000*time.Second) }

// ask lets a request come; it waits if it must.
func (w *waiters) ask(name string, left <-chan struct{}) {
	a := &PickArgs{Now: w.now()}
	go w.pick(name, a, left)
	synctest.Wait()
}

func (w *waiters) pick(name string, a *PickArgs, left <-chan struct{}) {
	peer, err := w.roster.Pool().Pick(a)
	if err != nil {
		peer, _, err = Wait(a, Waiting{Pool: w.roster.Current(), Now: w.now, Left: left})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.told = append(w.told, fmt.Sprintf("%s: %v", name, err))
		return
	}
	w.args[name] = a
	w.told = append(w.told, name+" "+peer.Server)
}

// end ends a request that has a peer.
func (w *waiters) end(name string, failed bool) {
	w.mu.Lock()
	a := w.args[name]
	delete(w.args, name)
	w.mu.Unlock()
	w.roster.Pool().Release(a, Outcome{Now: w.now(), Status: 200, HeaderTime: -1, Failed: failed})
	synctest.Wait()
}

// expect compares what has happened since the last time.
func (w *waiters) expect(want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, want) {
		w.t.Errorf("got %q, want %q", strings.Join(w.told, "; "), strings.Join(want, "; "))
	}
	w.told = nil
}

// small is a server that takes n requests at a time.
func small(name string, n int) Server {
	s := line(name)
	s.MaxConns = n
	return s
}

var five = Queue{Length: 5, Timeout: time.Minute}

func TestQueueKeepsTheOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, five, small("10.0.0.1:80", 1))
		for _, name := range []string{"a", "b", "c", "d"} {
			w.ask(name, nil)
		}
		w.expect("a 10.0.0.1:80")
		for i, name := range []string{"a", "b", "c"} {
			w.end(name, false)
			w.expect(string(rune('b'+i)) + " 10.0.0.1:80")
		}
		if n := w.roster.Pool().Queued(); n != 0 {
			t.Errorf("%d in the queue", n)
		}
	})
}

// One that comes while others wait does not get before them, even where a peer
// has just become free.
func TestQueueIsNotJumped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, five, small("10.0.0.1:80", 1))
		w.ask("a", nil)
		w.ask("b", nil)
		w.expect("a 10.0.0.1:80")
		pool := w.roster.Pool()
		pool.shared.mu.Lock()
		pool.shared.queue.first.wake = make(chan struct{}, 1) // b sleeps through the call
		pool.shared.mu.Unlock()
		w.end("a", false)
		if _, err := pool.Pick(&PickArgs{Now: w.now()}); !errors.Is(err, ErrNoLive) {
			t.Errorf("a later request: %v", err)
		}
		time.Sleep(recheck) // b looks by itself
		w.expect("b 10.0.0.1:80")
	})
}

func TestQueueOverflowsAndTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, Queue{Length: 2, Timeout: 30 * time.Second}, small("10.0.0.1:80", 1))
		w.ask("a", nil)
		w.ask("b", nil)
		time.Sleep(10 * time.Second)
		w.ask("c", nil)
		w.ask("d", nil)
		w.expect("a 10.0.0.1:80", "d: upstream queue is full")
		time.Sleep(20*time.Second - time.Millisecond)
		w.expect()
		time.Sleep(time.Millisecond)
		w.expect("b: upstream queue timed out")
		w.ask("e", nil) // in b's place
		w.end("a", false)
		w.expect("c 10.0.0.1:80")
		time.Sleep(31 * time.Second)
		w.expect("e: upstream queue timed out")
	})
}

func TestQueueForgetsThoseWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, Queue{Length: 2, Timeout: time.Minute}, small("10.0.0.1:80", 1))
		left := make(chan struct{})
		w.ask("a", nil)
		w.ask("b", left)
		w.ask("c", nil)
		close(left)
		w.expect("a 10.0.0.1:80", "b: left the upstream queue")
		w.ask("d", nil)
		w.end("a", false)
		w.expect("c 10.0.0.1:80")
		w.end("c", false)
		w.expect("d 10.0.0.1:80")
	})
}

// What ends a wait: a server that recovers, by its checks, by an order, after
// fail_timeout, and one that is added.
func TestQueueEnds(t *testing.T) {
	t.Parallel()
	first := PeerID{Upstream: "u", Server: "10.0.0.1:80", Addr: "10.0.0.1:80"}
	for name, story := range map[string]func(*waiters){
		"verdict": func(w *waiters) {
			w.roster.SetVerdicts(Judgement{first, VerdictUnhealthy})
			w.ask("a", nil)
			w.expect()
			w.roster.SetVerdicts(Judgement{first, VerdictUsable})
			w.expect("a 10.0.0.1:80")
		},
		"order": func(w *waiters) {
			id := w.roster.Pool().Peers()[0].ID
			order(w.t, &w.table, 1, map[ServerID]Order{id: OrderDown})
			w.ask("a", nil)
			w.expect()
			order(w.t, &w.table, 2, nil)
			w.expect("a 10.0.0.1:80")
		},
		"another server": func(w *waiters) {
			w.ask("a", nil)
			w.ask("b", nil)
			w.expect("a 10.0.0.1:80")
			commit(w.t, &w.table, Config{Name: "u", Queue: w.queue, Servers: []Server{small("10.0.0.1:80", 1), small("10.0.0.2:80", 1)}})
			w.expect("b 10.0.0.2:80")
		},
		"a queue is given up": func(w *waiters) {
			w.ask("a", nil)
			w.ask("b", nil)
			w.expect("a 10.0.0.1:80")
			commit(w.t, &w.table, Config{Name: "u", Servers: []Server{small("10.0.0.1:80", 1)}})
			w.ask("c", nil)
			w.expect("c: no live upstreams")
			w.end("a", false)
			w.expect("b 10.0.0.1:80")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { story(newWaiters(t, five, small("10.0.0.1:80", 1))) })
		})
	}
	t.Run("fail_timeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWaiters(t, five, small("10.0.0.1:80", 1), small("10.0.0.2:80", 1))
			w.ask("a", nil)
			w.ask("b", nil)
			w.expect("a 10.0.0.1:80", "b 10.0.0.2:80")
			w.end("a", true)
			w.ask("c", nil)
			time.Sleep(10 * time.Second)
			w.expect()
			time.Sleep(2 * time.Second)
			w.expect("c 10.0.0.1:80")
		})
	})
}

// A request that has tried a server takes no more of it; who stands behind does.
func TestQueueChoosyRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backup := small("10.0.0.3:80", 1)
		backup.Backup = true
		w := newWaiters(t, five, small("10.0.0.1:80", 1), small("10.0.0.2:80", 1), backup)
		for _, name := range []string{"a", "b", "c"} {
			w.ask(name, nil)
		}
		w.expect("a 10.0.0.1:80", "b 10.0.0.2:80", "c 10.0.0.3:80")
		choosy := &PickArgs{Now: w.now()}
		w.roster.Pool().Pick(choosy) // all are taken
		choosy.tried.add(0)          // as if it had been at a's
		go w.pick("d", choosy, nil)
		synctest.Wait()
		w.ask("e", nil)
		w.expect()
		w.end("a", false)
		w.expect("e 10.0.0.1:80")
		w.end("c", false) // the backup server
		w.expect("d 10.0.0.3:80")
		w.ask("f", nil)
		w.end("b", false)
		w.expect("f 10.0.0.2:80")
	})
}

// A request that has tried all there is has nothing to wait for.
func TestQueueNothingToWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, five, small("10.0.0.1:80", 1), small("10.0.0.2:80", 1))
		a := &PickArgs{Now: w.now()}
		for range 2 {
			if _, err := w.roster.Pool().Pick(a); err != nil {
				t.Fatal(err)
			}
			w.roster.Pool().Release(a, Outcome{Now: w.now(), Next: true})
		}
		w.pick("a", a, nil)
		w.expect("a: no live upstreams")
	})
}

// Many requests at few places: nobody is lost, and nobody waits for nothing. They are not more, because the race detector of
// Go 1.26 fails on its own account where very many goroutines sleep in a bubble (golang.org/issue/78156).
func TestQueueUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters(t, Queue{Length: 1000, Timeout: time.Hour}, small("10.0.0.1:80", 2), small("10.0.0.2:80", 3))
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				a := &PickArgs{Now: w.now()}
				pool := w.roster.Pool()
				_, err := pool.Pick(a)
				if err != nil {
					_, pool, err = Wait(a, Waiting{Pool: w.roster.Current(), Now: w.now})
				}
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(10 * time.Millisecond)
				pool.Release(a, Outcome{Now: w.now(), Status: 200, HeaderTime: -1})
			})
		}
		all.Wait()
		if took := time.Since(w.start); took != 200*time.Millisecond { // 100 requests, 5 at a time, 10 ms each
			t.Errorf("took %s", took)
		}
	})
}
