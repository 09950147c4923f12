package cache_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// slowBody is a body whose pieces come a second apart.
type slowBody struct{ scriptBody }

func (b *slowBody) Next() (request.Piece, error) {
	time.Sleep(time.Second)
	return b.scriptBody.Next()
}

// origin is an upstream that takes its time.
type origin struct {
	fetches atomic.Int32
	think   time.Duration
	fields  string // "Name: value|Name: value"
	pieces  []string
	breaks  bool
	fault   request.Fault
}

func (o *origin) fetch(r *request.Request) (request.Incoming, request.Verdict) {
	o.fetches.Add(1)
	time.Sleep(o.think)
	r.Fault = o.fault
	if o.fault != request.FaultNone {
		return nil, r.Reject(502)
	}
	r.Upstream.Reset(nil)
	for _, f := range strings.Split(o.fields, "|") {
		if name, value, ok := strings.Cut(f, ": "); ok {
			r.Upstream.Add([]byte(name), []byte(value))
		}
	}
	r.Reply.Status, r.Reply.Reason = 200, nil
	r.Reply.Length = int64(len(strings.Join(o.pieces, "")))
	if r.Wish.ETag != nil {
		r.Reply.Status, r.Reply.Length = 304, 0
		return &scriptBody{}, request.Next
	}
	return &slowBody{scriptBody{pieces: append([]string(nil), o.pieces...), breaks: o.breaks}}, request.Next
}

// crowd asks for the same at once and counts the answers, each as its status
// in the cache, its body, and the seconds it took.
func (w *world) crowd(n int, lines ...string) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[string]int{}
	for range n {
		r := w.newRequest(lines)
		wg.Go(func() {
			began := time.Now()
			text := "none"
			body, _ := w.c.Fetch(r)
			if body != nil {
				var err error
				if text, err = readAll(body, r); err != nil {
					text += " broken"
				}
				body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			got[strings.TrimSpace(r.Cached.Status.String()+" "+text+" "+time.Since(began).String())]++
		})
	}
	wg.Wait()
	return got
}

// TestOneFetch: how many fetches a crowd causes, and what each of it gets.
func TestOneFetch(t *testing.T) {
	t.Parallel()
	const lock = "proxy_cache_lock on; proxy_cache_valid 10s;"
	for _, c := range []struct {
		name, conf string
		origin     *origin
		before     string // asked for once, and then this is waited
		wait       time.Duration
		lines      []string
		fetches    int32
		want       map[string]int
	}{
		{name: "no lock: as many as there are requests, as in nginx", conf: "proxy_cache_valid 10s;",
			origin: &origin{pieces: []string{"a"}}, fetches: 5, want: map[string]int{"MISS a 2s": 5}},
		{name: "lock: one, whose bytes all get as they arrive", conf: lock,
			origin: &origin{think: time.Second, pieces: []string{"a", "b"}}, fetches: 1, want: map[string]int{"MISS ab 4s": 1, "HIT ab 4s": 4}},
		{name: "not for sharing: all go on when that is known", conf: lock,
			origin: &origin{think: time.Second, fields: "Cache-Control: private", pieces: []string{"a"}}, fetches: 5,
			want: map[string]int{"MISS a 3s": 1, "MISS a 4s": 4}},
		{name: "timeout: then without the cache", conf: lock + "proxy_cache_lock_timeout 2s; proxy_cache_lock_age 1m;",
			origin: &origin{think: 5 * time.Second, pieces: []string{"a"}}, fetches: 5, want: map[string]int{"MISS a 7s": 1, "MISS a 9s": 4}},
		{name: "age: then one more may try", conf: lock + "proxy_cache_lock_timeout 1m; proxy_cache_lock_age 2s;",
			origin: &origin{think: 3 * time.Second, pieces: []string{"a"}}, fetches: 3, want: map[string]int{"MISS a 5s": 1, "MISS a 7s": 1, "MISS a 9s": 1, "HIT a 6s": 2}},
		{name: "a fetch that fails: the next one tries", conf: lock,
			origin: &origin{think: time.Second, fault: request.FaultError}, fetches: 5,
			want: map[string]int{"MISS none 1s": 1, "MISS none 2s": 1, "MISS none 3s": 1, "MISS none 4s": 1, "MISS none 5s": 1}},
		{name: "one that breaks off looks so to all", conf: lock,
			origin: &origin{pieces: []string{"a"}, breaks: true}, fetches: 1, want: map[string]int{"MISS a broken 2s": 1, "HIT a broken 2s": 4}},
		{name: "expired, lock: one", conf: lock,
			origin: &origin{pieces: []string{"a"}}, before: "GET /", wait: 20 * time.Second, fetches: 2, want: map[string]int{"EXPIRED a 2s": 1, "HIT a 2s": 4}},
		{name: "expired, revalidated: one", conf: lock,
			origin: &origin{think: time.Second, fields: `ETag: "1"`, pieces: []string{"a"}}, before: "GET /", wait: 20 * time.Second, fetches: 2,
			want: map[string]int{"REVALIDATED a 1s": 1, "HIT a 1s": 4}},
		{name: "expired, updating: the others do not wait", conf: "proxy_cache_valid 10s; proxy_cache_use_stale updating;",
			origin: &origin{pieces: []string{"a"}}, before: "GET /", wait: 20 * time.Second, fetches: 2, want: map[string]int{"EXPIRED a 2s": 1, "UPDATING a 0s": 4}},
		{name: "stale-while-revalidate: nobody waits", conf: "",
			origin: &origin{fields: "Cache-Control: max-age=10, stale-while-revalidate=100", pieces: []string{"a"}}, before: "GET /", wait: 20 * time.Second, fetches: 2,
			want: map[string]int{"STALE a 0s": 1, "UPDATING a 0s": 4}},
		{name: "clients' no-cache: one question a second", conf: "proxy_cache_valid 1h;",
			origin: &origin{think: time.Second / 2, fields: `ETag: "1"`, pieces: []string{"a"}}, before: "GET /", wait: 20 * time.Second,
			lines: []string{"GET /", "Cache-Control: no-cache"}, fetches: 2, want: map[string]int{"REVALIDATED a 500ms": 1, "HIT a 500ms": 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.conf)
				defer w.z.Close()
				w.fetch = c.origin.fetch
				if c.before != "" {
					w.crowd(1, c.before)
					time.Sleep(c.wait)
				}
				lines := c.lines
				if lines == nil {
					lines = []string{"GET /"}
				}
				got := w.crowd(5, lines...)
				synctest.Wait()
				time.Sleep(time.Minute) // what goes on in the background
				if n := c.origin.fetches.Load(); n != c.fetches {
					t.Errorf("%d fetches, want %d", n, c.fetches)
				}
				for text, n := range c.want {
					if got[text] != n {
						t.Errorf("%v, want %v", got, c.want)
						break
					}
				}
			})
		})
	}
}

// TestVariantsUnderLock: requests for two variants get theirs, at the cost of
// one fetch each.
func TestVariantsUnderLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "proxy_cache_lock on; proxy_cache_valid 1h;")
		defer w.z.Close()
		o := &origin{fields: "Vary: Accept", pieces: []string{"x"}}
		w.fetch = func(r *request.Request) (request.Incoming, request.Verdict) {
			accept, _ := r.Head.Find([]byte("Accept"))
			body, verdict := o.fetch(r)
			body.(*slowBody).pieces = []string{string(accept)}
			return body, verdict
		}
		var wg sync.WaitGroup
		for _, a := range []string{"a", "b"} {
			wg.Go(func() {
				for text := range w.crowd(3, "GET /", "Accept: "+a) {
					if !strings.Contains(text, " "+a+" ") {
						t.Errorf("asked for %s, got %q", a, text)
					}
				}
			})
		}
		wg.Wait()
		if n := o.fetches.Load(); n > 4 {
			t.Errorf("%d fetches", n)
		}
	})
}

// TestLeavingClientLeavesTheFill: the reply that a client began to fetch is
// stored when the client has gone, and others get it whole.
func TestLeavingClientLeavesTheFill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "proxy_cache_lock on; proxy_cache_valid 1h;")
		defer w.z.Close()
		o := &origin{pieces: []string{"a", "b", "c"}}
		w.fetch = o.fetch
		first := w.newRequest([]string{"GET /"})
		body, _ := w.c.Fetch(first)
		if !first.Wish.Stay {
			t.Error("the fetch ends with its client")
		}
		if p, err := body.Next(); string(p.Bytes) != "a" || err != nil {
			t.Fatal(p, err)
		}
		others := make(chan map[string]int)
		go func() { others <- w.crowd(2, "GET /") }()
		synctest.Wait()
		body.Close()
		if got := <-others; got["HIT abc 3s"] != 2 {
			t.Errorf("the others got %v", got)
		}
		if got := w.crowd(1, "GET /"); got["HIT abc 0s"] != 1 || o.fetches.Load() != 1 {
			t.Errorf("afterwards: %v, %d fetches", got, o.fetches.Load())
		}
	})
}

// leaver is an Out whose client leaves after a time.
type leaver struct {
	request.Nowhere
	after time.Duration
}

func (l *leaver) Watch(gone func()) { time.AfterFunc(l.after, gone) }

// TestWaitingClientLeaves: one that waits for another's fetch is let go at
// once, and counts as gone.
func TestWaitingClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "proxy_cache_lock on; proxy_cache_valid 1h;")
		defer w.z.Close()
		o := &origin{think: 4 * time.Second, pieces: []string{"a"}}
		w.fetch = o.fetch
		done := make(chan map[string]int)
		go func() { done <- w.crowd(1, "GET /") }()
		synctest.Wait()
		r := w.newRequest([]string{"GET /"})
		r.Out = &leaver{after: time.Second}
		began := time.Now()
		body, verdict := w.c.Fetch(r)
		if body != nil || verdict != request.Respond || r.Reply.Status != 499 || !r.Reply.Broken || time.Since(began) != time.Second {
			t.Errorf("%v, %v, %d after %v", body, verdict, r.Reply.Status, time.Since(began))
		}
		<-done
	})
}

// TestEndOfZone: a refresh in the background does not outlast the zone.
func TestEndOfZone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		left := make(chan struct{})
		o := &origin{fields: "Cache-Control: max-age=10, stale-while-revalidate=100", pieces: []string{"a"}}
		w.fetch = func(r *request.Request) (request.Incoming, request.Verdict) {
			if o.fetches.Load() == 0 {
				return o.fetch(r)
			}
			r.Out.Watch(func() { close(left) })
			defer r.Out.Unwatch()
			<-left // an upstream that never answers
			return nil, r.Reject(502)
		}
		w.crowd(1, "GET /")
		time.Sleep(20 * time.Second)
		if got := w.crowd(1, "GET /"); got["STALE a 0s"] != 1 {
			t.Error(got)
		}
		synctest.Wait()
		w.z.Close() // waits for it
	})
}

// TestBrokenStore: when the store takes nothing, clients get their replies.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "proxy_cache_valid 1h;")
		defer w.z.Close()
		w.fetch = (&origin{pieces: []string{"a"}}).fetch
		target := "/" + strings.Repeat("x", 40<<10) // a key that is too long
		for range 2 {
			if got := w.crowd(1, "GET "+target); got["MISS a 2s"] != 1 {
				t.Error(got)
			}
		}
	})
}

// TestHeadDoesNotWait: a client that asks for a head has it at once, while the
// body is fetched and stored.
func TestHeadDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "proxy_cache_valid 1h;")
		defer w.z.Close()
		o := &origin{pieces: []string{"a", "b", "c"}}
		w.fetch = o.fetch
		r := w.newRequest([]string{"HEAD /"})
		body, _ := w.c.Fetch(r)
		began := time.Now()
		if _, err := readAll(body, r); err != nil || time.Since(began) != 0 || r.Reply.Length != 3 {
			t.Errorf("%v, %d bytes after %v", err, r.Reply.Length, time.Since(began))
		}
		body.Close()
		if got := w.crowd(1, "GET /"); got["HIT abc 0s"] != 1 {
			t.Error(got)
		}
	})
}
