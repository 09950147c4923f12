package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/weir-lb/weir/config"
)

// world is what all name servers say, in fake time. An answer is what stands
// behind "NAME TYPE": addresses or SRV data, one a line, or one of the words
// NXDOMAIN, SERVFAIL and silence; nothing at all is an empty answer. Names of
// which it has nothing do not exist.
type world struct {
	mu    sync.Mutex
	says  map[string]string
	extra string // what comes along with SRV records, as a zone file has it
	ttl   int
	asked map[string]int // by "NAME TYPE"
	order []string       // servers asked
	dead  string         // a server that is silent
}

func newWorld() *world { return &world{says: map[string]string{}, asked: map[string]int{}, ttl: 60} }

// set takes "NAME TYPE: ANSWER", with ; between the lines of an answer.
func (w *world) set(changes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		question, answer, _ := strings.Cut(c, ": ")
		w.says[question] = answer
	}
}

func (w *world) exchange(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	name, qtype := q.Question[0].Name, dns.TypeToString[q.Question[0].Qtype]
	w.mu.Lock()
	says, known := w.says[name+" "+qtype]
	w.asked[name+" "+qtype]++
	w.order = append(w.order, server)
	ttl, extra := w.ttl, w.extra
	if server == w.dead {
		says = "silence"
	}
	w.mu.Unlock()
	m := (&dns.Msg{}).SetReply(q)
	switch {
	case says == "silence":
		<-ctx.Done()
		return nil, errors.New("no answer")
	case says == "SERVFAIL":
		return m.SetRcode(q, dns.RcodeServerFailure), nil
	case says == "NXDOMAIN", !known:
		return m.SetRcode(q, dns.RcodeNameError), nil
	case says == "":
		return m, nil
	}
	for data := range strings.SplitSeq(says, "; ") {
		m.Answer = append(m.Answer, record(fmt.Sprintf("%s %d IN %s %s", name, ttl, qtype, data)))
	}
	if qtype == "SRV" && extra != "" {
		for line := range strings.SplitSeq(extra, "; ") {
			m.Extra = append(m.Extra, record(line))
		}
	}
	return m, nil
}

func record(line string) dns.RR {
	rr, err := dns.NewRR(line)
	if err != nil {
		panic(err)
	}
	return rr
}

// text writes news: the addresses, or for SRV records each with its priority,
// weight and target, then what is wrong.
func text(n News) string {
	var out []string
	for _, r := range n.Records {
		if r.Target != "" {
			out = append(out, fmt.Sprintf("%d/%d %s:%d", r.Priority, r.Weight, r.Target, r.Port))
		}
		for _, a := range r.Addrs {
			out = append(out, a.String())
		}
	}
	if n.Err != nil {
		out = append(out, "! "+n.Err.Error())
	}
	return strings.Join(out, " ")
}

// step is what the name servers say from now on, and what is known after a
// while; "=" says that nothing has been told in that time.
type step struct {
	says []string
	want string
}

// steps shortens tables: what is said, what is known, and so on.
func steps(pairs ...string) (list []step) {
	for i := 0; i < len(pairs); i += 2 {
		var says []string
		if pairs[i] != "" {
			says = strings.Split(pairs[i], " | ")
		}
		list = append(list, step{says, pairs[i+1]})
	}
	return list
}

func TestFollow(t *testing.T) {
	t.Parallel()
	const srv = "_http._tcp.app. SRV: "
	for _, c := range []struct {
		name    string
		service string
		conf    config.Resolver
		steps   []step
	}{
		{"addresses come and go", "", config.Resolver{}, steps(
			"app. A: 10.0.0.2; 10.0.0.1 | app. AAAA: ::1", "10.0.0.1 10.0.0.2 ::1",
			"app. A: 10.0.0.1; 10.0.0.2", "=",
			"app. A: 10.0.0.3; 10.0.0.1", "10.0.0.1 10.0.0.3 ::1",
			"app. AAAA: ", "10.0.0.1 10.0.0.3")},
		{"the name goes", "", config.Resolver{}, steps(
			"app. A: 10.0.0.1 | app. AAAA: ", "10.0.0.1",
			"app. A: NXDOMAIN | app. AAAA: NXDOMAIN", "! 3: Host not found",
			"", "=",
			"app. A: 10.0.0.1", "10.0.0.1")},
		{"the addresses go", "", config.Resolver{}, steps(
			"app. A: 10.0.0.1 | app. AAAA: ::1", "10.0.0.1 ::1",
			"app. A: ", "::1",
			"app. AAAA: ", "! 3: Host not found")},
		{"nxdomain=keep", "", config.Resolver{KeepNotFound: true}, steps(
			"app. A: 10.0.0.1", "10.0.0.1",
			"app. A: NXDOMAIN", "10.0.0.1 ! 3: Host not found",
			"app. A: 10.0.0.2", "10.0.0.2",
			"app. A: ", "10.0.0.2 ! 3: Host not found")},
		{"a failure keeps what was known, told once", "", config.Resolver{NoIPv6: true}, steps(
			"app. A: 10.0.0.1", "10.0.0.1",
			"app. A: SERVFAIL", "10.0.0.1 ! 2: Server failure",
			"", "=",
			"app. A: silence", "10.0.0.1 ! 110: Operation timed out",
			"", "=",
			"app. A: 10.0.0.1", "10.0.0.1")},
		{"a failure of one family keeps its addresses", "", config.Resolver{}, steps(
			"app. A: 10.0.0.1 | app. AAAA: ::1", "10.0.0.1 ::1",
			"app. A: 10.0.0.2 | app. AAAA: SERVFAIL", "10.0.0.2 ::1 ! 2: Server failure",
			"app. A: NXDOMAIN", "::1 ! 2: Server failure",
			"app. AAAA: NXDOMAIN", "! 3: Host not found")},
		{"NXDOMAIN in one family and a failure in the other tell nothing", "", config.Resolver{}, steps(
			"app. A: 10.0.0.1 | app. AAAA: ", "10.0.0.1",
			"app. A: NXDOMAIN | app. AAAA: silence", "10.0.0.1 ! 110: Operation timed out")},
		{"nothing known at first", "", config.Resolver{}, steps(
			"app. A: silence | app. AAAA: silence", "! 110: Operation timed out",
			"app. A: 10.0.0.1 | app. AAAA: ", "10.0.0.1")},
		{"ipv4=off", "", config.Resolver{NoIPv4: true}, steps("app. A: 10.0.0.1 | app. AAAA: ::1", "::1")},
		{"priorities and weights", "http", config.Resolver{NoIPv6: true}, steps(
			srv+"20 5 80 b.; 10 7 81 a.; 10 7 80 c. | a. A: 10.0.0.1 | b. A: 10.0.0.2 | c. A: 10.0.0.3; 10.0.0.4",
			"10/7 a.:81 10.0.0.1 10/7 c.:80 10.0.0.3 10.0.0.4 20/5 b.:80 10.0.0.2",
			srv+"10 7 80 c.; 10 7 81 a.; 20 5 80 b.", "=",
			srv+"10 7 80 c.; 20 7 81 a.; 10 5 80 b.", "10/5 b.:80 10.0.0.2 10/7 c.:80 10.0.0.3 10.0.0.4 20/7 a.:81 10.0.0.1",
			srv+"10 7 80 c.; 20 7 80 c.; 10 9 80 c.", "10/9 c.:80 10.0.0.3 10.0.0.4",
			"_http._tcp.app. SRV: SERVFAIL | c. A: 10.0.0.5", "10/9 c.:80 10.0.0.5 ! 2: Server failure",
			"_http._tcp.app. SRV: NXDOMAIN", "! 3: Host not found")},
		{"a target that fails", "http", config.Resolver{NoIPv6: true}, steps(
			srv+"10 1 80 a.; 10 1 80 b.; 10 1 80 c. | a. A: 10.0.0.1 | b. A: SERVFAIL",
			"10/1 a.:80 10.0.0.1 ! target b: 2: Server failure, and 1 more",
			"b. A: 10.0.0.2 | c. A: 10.0.0.3", "10/1 a.:80 10.0.0.1 10/1 b.:80 10.0.0.2 10/1 c.:80 10.0.0.3",
			"b. A: SERVFAIL | c. A: ", "10/1 a.:80 10.0.0.1 10/1 b.:80 10.0.0.2 ! target b: 2: Server failure, and 1 more")},
		{"all targets go", "http", config.Resolver{NoIPv6: true}, steps(
			srv+"10 1 80 a. | a. A: 10.0.0.1", "10/1 a.:80 10.0.0.1",
			"a. A: NXDOMAIN", "! target a: 3: Host not found",
			srv+"0 0 0 .", "! 3: Host not found")},
		{"a service with dots", "_http._tcp", config.Resolver{NoIPv6: true}, steps(
			srv+"10 1 80 a. | a. A: 10.0.0.1", "10/1 a.:80 10.0.0.1")},
		{"not a name", "a b", config.Resolver{}, steps("", "! 3: Host not found")},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				r := New()
				r.exchange = w.exchange
				c.conf.Servers = []string{"ns"}
				told := "="
				for i, s := range c.steps {
					w.set(s.says...)
					if i == 0 {
						stop := r.Follow(Query{Host: "App", Service: c.service, Resolver: &c.conf, Timeout: 5 * time.Second}, func(n News) {
							if told != "=" && told != "" {
								told += "; "
							}
							told = text(n)
						})
						defer stop()
					}
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					if told != s.want {
						t.Errorf("step %d, %q: got %q, want %q", i+1, s.says, told, s.want)
					}
					told = "="
				}
			})
		})
	}
}

// How often a name is asked for: by its time to live, within bounds, and not by
// all at the same moment.
func TestRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ttl      int
		valid    time.Duration
		answer   string
		min, max int // questions within a time
		within   time.Duration
	}{
		{0, 0, "10.0.0.1", 60, 61, time.Minute},
		{1, 0, "10.0.0.1", 60, 61, time.Minute},
		{60, 0, "10.0.0.1", 60, 67, time.Hour},
		{86400, 0, "10.0.0.1", 12, 14, time.Hour},
		{60, 10 * time.Second, "10.0.0.1", 360, 401, time.Hour},
		{0, 10 * time.Second, "10.0.0.1", 360, 401, time.Hour},
		{60, 0, "SERVFAIL", 120, 250, time.Hour},   // every 15 to 30 seconds in the end
		{60, 0, "NXDOMAIN", 3599, 3601, time.Hour}, // without an SOA record it is not known for how long
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.ttl = c.ttl
			w.set("app. A: " + c.answer)
			r := New()
			r.exchange = w.exchange
			conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true, Valid: c.valid}
			stop := r.Follow(Query{Host: "app", Resolver: conf, Timeout: time.Second}, func(News) {})
			time.Sleep(c.within)
			synctest.Wait()
			if n := w.asked["app. A"]; n < c.min || n > c.max {
				t.Errorf("ttl %d, valid %v, %s: asked %d times within %v, want %d to %d", c.ttl, c.valid, c.answer, n, c.within, c.min, c.max)
			}
			stop()
			n := w.asked["app. A"]
			time.Sleep(c.within)
			synctest.Wait()
			if w.asked["app. A"] != n {
				t.Error("asked after the end")
			}
		})
	}
}

// An address family without addresses is not asked about more often than the
// other one.
func TestEmptyFamily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("app. A: 10.0.0.1", "app. AAAA: ")
		r := New()
		r.exchange = w.exchange
		stop := r.Follow(Query{Host: "app", Resolver: &config.Resolver{Servers: []string{"ns"}}, Timeout: time.Second}, func(News) {})
		defer stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if a, six := w.asked["app. A"], w.asked["app. AAAA"]; a != six || a > 12 {
			t.Errorf("%d questions for A, %d for AAAA", a, six)
		}
	})
}

// Addresses that come along with SRV records are not asked for.
func TestAdditional(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("_http._tcp.app. SRV: 1 1 80 a.; 1 1 80 B.", "b. A: 10.0.0.2")
		w.extra = "A. 60 IN A 10.0.0.9; a. 60 IN A 10.0.0.1; x. 60 IN A 10.6.6.6; b. 60 IN AAAA ::1"
		r := New()
		r.exchange = w.exchange
		var got string
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true, Valid: time.Second}
		stop := r.Follow(Query{Host: "app", Service: "http", Resolver: conf, Timeout: time.Second}, func(n News) { got = text(n) })
		defer stop()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if want := "1/1 a.:80 10.0.0.1 10.0.0.9 1/1 b.:80 10.0.0.2"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if w.asked["a. A"] != 0 || w.asked["b. A"] == 0 || w.asked["x. A"] != 0 || w.asked["b. AAAA"] != 0 {
			t.Errorf("asked %v", w.asked)
		}
	})
}

// Five hundred targets are five hundred targets.
func TestManyTargets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("_http._tcp.app. SRV: " + targets(500))
		for i := range 500 {
			w.set(fmt.Sprintf("t%04d. A: 10.0.%d.%d", i, i>>8, i&255))
		}
		r := New()
		r.exchange = w.exchange
		var got []News
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		stop := r.Follow(Query{Host: "app", Service: "http", Resolver: conf, Timeout: time.Second}, func(n News) { got = append(got, n) })
		defer stop()
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if len(got) != 1 || len(got[0].Records) != 500 || got[0].Records[499].Port != 1499 || got[0].Err != nil {
			t.Fatalf("told %d times, %d records", len(got), len(got[0].Records))
		}
	})
}

// Targets about which nobody says anything cost the time of one question, not of
// each, and hold up what is known of the others no longer.
func TestSilentTargets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("_http._tcp.app. SRV: " + targets(100))
		for i := range 100 {
			w.set(fmt.Sprintf("t%04d. A: silence", i))
		}
		w.set("t0050. A: 10.0.0.50", "t0099. A: 10.0.0.99")
		r := New()
		r.exchange = w.exchange
		var got News
		var at time.Duration
		began := time.Now()
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		stop := r.Follow(Query{Host: "app", Service: "http", Resolver: conf, Timeout: 5 * time.Second}, func(n News) {
			if got = n; len(n.Records) == 2 && at == 0 {
				at = time.Since(began)
			}
		})
		defer stop()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if at == 0 || at > time.Minute || len(got.Records) != 2 {
			t.Errorf("two of 100 targets were known after %v: %s", at, text(got))
		}
	})
}

// A family about which name servers say nothing does not keep the other one's
// addresses from being used.
func TestSilentFamily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("app. A: 10.0.0.1", "app. AAAA: silence")
		r := New()
		r.exchange = w.exchange
		got := ""
		stop := r.Follow(Query{Host: "app", Resolver: &config.Resolver{Servers: []string{"ns"}}, Timeout: 30 * time.Second}, func(n News) { got = text(n) })
		defer stop()
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		if got != "10.0.0.1 ! 110: Operation timed out" {
			t.Errorf("got %q", got)
		}
	})
}

// targets are SRV records of n targets.
func targets(n int) string {
	var data []string
	for i := range n {
		data = append(data, fmt.Sprintf("1 1 %d t%04d.", 1000+i, i))
	}
	return strings.Join(data, "; ")
}

// Thousands of them are cut to a number, the same ones in whatever order they
// come.
func TestBoundedTargets(t *testing.T) {
	t.Parallel()
	m := &dns.Msg{}
	for data := range strings.SplitSeq(targets(3*maxTargets), "; ") {
		m.Answer = append(m.Answer, record("app. 60 IN SRV "+data))
	}
	first := readAnswer(m, "app.", dns.TypeSRV).targets
	slices.Reverse(m.Answer)
	second := readAnswer(m, "app.", dns.TypeSRV).targets
	if len(first) != maxTargets || !slices.EqualFunc(first, second, Record.equal) {
		t.Errorf("%d targets, then %d", len(first), len(second))
	}
}

// All who follow one name share its questions; who comes later is told what is
// known, who leaves is told nothing more.
func TestFollowTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("app. A: 10.0.0.1")
		r := New()
		r.exchange = w.exchange
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		var told [2]string
		follow := func(i int) func() {
			return r.Follow(Query{Host: "app", Resolver: conf, Timeout: time.Second}, func(n News) { told[i] = text(n) })
		}
		stop := follow(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		stopOther := follow(1)
		if told[1] != "10.0.0.1" {
			t.Errorf("who comes later was told %q", told[1])
		}
		stop()
		w.set("app. A: 10.0.0.2")
		time.Sleep(time.Minute)
		synctest.Wait()
		if told != [2]string{"10.0.0.1", "10.0.0.2"} || w.asked["app. A"] > 4 {
			t.Errorf("told %q, asked %v", told, w.asked)
		}
		stopOther()
		synctest.Wait()
		if len(r.follows) != 0 {
			t.Error("the name is still followed")
		}
	})
}

// A server that is silent is asked last until it has had time to recover.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("app. A: 10.0.0.1")
		w.dead = "ns1"
		r := New()
		r.exchange = w.exchange
		conf := &config.Resolver{Servers: []string{"ns1", "ns2"}, NoIPv6: true, Valid: time.Second}
		stop := r.Follow(Query{Host: "app", Resolver: conf, Timeout: 10 * time.Second}, func(News) {})
		defer stop()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := strings.Count(strings.Join(w.order, " "), "ns1"); n != 1 {
			t.Errorf("the silent server was asked %d times: %v", n, w.order)
		}
		w.mu.Lock()
		w.dead, w.order = "", nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(strings.Join(w.order, " "), "ns1"); n < 10 {
			t.Errorf("the server that is back was asked %d times of %d", n, len(w.order))
		}
	})
}

// What is asked is counted by status zone.
func TestCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.set("_http._tcp.app. SRV: 1 1 80 a.; 1 1 80 b.; 1 1 80 c.; 1 1 80 d.",
			"a. A: 10.0.0.1", "b. A: SERVFAIL", "c. A: silence", "d. A: NXDOMAIN")
		r := New()
		r.exchange = w.exchange
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true, StatusZone: "z", Valid: time.Hour}
		stop := r.Follow(Query{Host: "app", Service: "http", Resolver: conf, Timeout: 500 * time.Millisecond}, func(News) {})
		time.Sleep(900 * time.Millisecond)
		stop()
		synctest.Wait()
		want := ZoneStatus{
			Requests:  Requests{Name: 4, SRV: 1},
			Responses: Responses{NoError: 2, ServerFailure: 1, TimedOut: 1, NotFound: 1},
		}
		if got := r.Status()["z"]; got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.set("app. A: silence")
		_, _ = r.Lookup(ctx, "app", conf) // it counts as well
		synctest.Wait()
		want.Requests.Name++
		want.Responses.TimedOut++
		if got := r.Status()["z"]; got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		r.ResetStatistics("z")
		if got := r.Status()["z"]; got != (ZoneStatus{}) {
			t.Errorf("after the reset: %+v", got)
		}
	})
}
