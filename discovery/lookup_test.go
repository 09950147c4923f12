package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/weir-lb/weir/config"
)

// network is a name server that lives in fake time: what it does about each
// question, and what it was asked.
type network struct {
	asked []string
	reply func(ctx context.Context, server string, n int) (string, error) // records, one a line
}

func (f *network) exchange(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	f.asked = append(f.asked, server)
	text, err := f.reply(ctx, server, len(f.asked))
	if err != nil {
		return nil, err
	}
	m := (&dns.Msg{}).SetReply(q)
	if text == "NXDOMAIN" {
		m.Rcode = dns.RcodeNameError
		return m, nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		rr, err := dns.NewRR(line)
		if err != nil {
			return nil, err
		}
		if rr.Header().Rrtype == dns.TypeSOA {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m, nil
}

// How long an answer is kept.
func TestLifetime(t *testing.T) {
	t.Parallel()
	const nxdomain, soa = "NXDOMAIN", "example. %d IN SOA ns.example. mail.example. 1 2 3 4 %d"
	for _, c := range []struct {
		name, reply string
		valid, want time.Duration
	}{
		{"time to live", "a.example. 60 IN A 10.0.0.1", 0, 60 * time.Second},
		{"shortest of several", "a.example. 60 IN A 10.0.0.1\na.example. 30 IN A 10.0.0.2", 0, 30 * time.Second},
		{"alias is shorter", "a.example. 5 IN CNAME b.example.\nb.example. 60 IN A 10.0.0.2", 0, 5 * time.Second},
		{"valid is shorter", "a.example. 60 IN A 10.0.0.1", 10 * time.Second, 10 * time.Second},
		{"valid is longer", "a.example. 0 IN A 10.0.0.1", 10 * time.Second, 10 * time.Second},
		{"zero", "a.example. 0 IN A 10.0.0.1", 0, 0},
		{"negative number", "a.example. 4294967295 IN A 10.0.0.1", 0, 0},
		{"a month", "a.example. 2592000 IN A 10.0.0.1", 0, 7 * 24 * time.Hour},
		{"no such name", nxdomain, 0, time.Second},
		{"no such name, valid", nxdomain, time.Hour, time.Second},
		{"no address for long", fmt.Sprintf(soa, 3600, 3600), 0, 10 * time.Second},
		{"no address for a while", fmt.Sprintf(soa, 3600, 3), 0, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &network{reply: func(context.Context, string, int) (string, error) { return c.reply, nil }}
				r := New()
				r.exchange = f.exchange
				conf := &config.Resolver{Servers: []string{"ns"}, Valid: c.valid, NoIPv6: true}
				ask := func() int {
					_, _ = r.Lookup(t.Context(), "a.example", conf) // whether it is asked again is what counts
					return len(f.asked)
				}
				ask()
				if c.want > 0 {
					time.Sleep(c.want - 1)
					if n := ask(); n != 1 {
						t.Errorf("asked %d times just before %v", n, c.want)
					}
					time.Sleep(1 * time.Nanosecond)
				}
				if _, known := r.Known("a.example", conf); known {
					t.Errorf("known after %v", c.want)
				}
				if n := ask(); n != 2 {
					t.Errorf("asked %d times after %v", n, c.want)
				}
			})
		})
	}
}

// Silent servers are asked in turns, for as long as somebody waits.
func TestRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		f := &network{}
		f.reply = func(ctx context.Context, server string, n int) (string, error) {
			at = append(at, time.Since(start))
			if n == 5 {
				return "a.example. 60 IN A 10.0.0.1", nil
			}
			<-ctx.Done()
			return "", errors.New("no answer")
		}
		r := New()
		r.exchange = f.exchange
		conf := &config.Resolver{Servers: []string{"ns1", "ns2"}, NoIPv6: true}
		if addrs, err := r.Lookup(t.Context(), "a.example", conf); err != nil || len(addrs) != 1 {
			t.Fatalf("%v, %v", addrs, err)
		}
		got := fmt.Sprint(f.asked, at)
		if want := "[ns1 ns2 ns1 ns2 ns1] [0s 2s 4s 8s 12s]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// Servers that refuse at once are not asked without pause, and who gives up
// waiting learns what was wrong with them.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &network{reply: func(context.Context, string, int) (string, error) {
			return "", fmt.Errorf("read udp: %w", syscall.ECONNREFUSED)
		}}
		r := New()
		r.exchange = f.exchange
		conf := &config.Resolver{Servers: []string{"ns1", "ns2"}, NoIPv6: true}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		_, err := r.Lookup(ctx, "a.example", conf)
		var e *Error
		if !errors.As(err, &e) || e.Code != TimedOut || e.Cause.Error() != "name server ns2: connection refused" {
			t.Errorf("got %v, cause %v", err, errors.Unwrap(err))
		}
		if len(f.asked) != 8 {
			t.Errorf("asked %d times", len(f.asked))
		}
		synctest.Wait()
		if len(r.entries) != 0 {
			t.Errorf("what was given up is remembered: %v", r.entries)
		}
	})
}

// The look-up ends when the last of those who wait has left.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		f := &network{reply: func(ctx context.Context, _ string, _ int) (string, error) {
			<-ctx.Done()
			ended++
			return "", ctx.Err()
		}}
		r := New()
		r.exchange = f.exchange
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			go func() { _, _ = r.Lookup(ctx, "a.example", conf) }() // it is cancelled
		}
		synctest.Wait()
		if ended != 0 || len(f.asked) != 1 {
			t.Fatalf("%d look-ups, %d ended", len(f.asked), ended)
		}
		cancel()
		synctest.Wait()
		if ended != 1 {
			t.Error("the look-up goes on")
		}
	})
}

// A failure is kept for a second, so that a name that cannot be resolved is
// not asked for with each request.
func TestFailureIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := New()
		asked := 0
		r.exchange = func(_ context.Context, _ string, q *dns.Msg) (*dns.Msg, error) {
			asked++
			return (&dns.Msg{}).SetRcode(q, dns.RcodeServerFailure), nil
		}
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		for i, want := range []int{1, 1, 2} {
			_, err := r.Lookup(t.Context(), "a.example", conf)
			if err == nil || err.Error() != "2: Server failure" || asked != want {
				t.Errorf("%d: %v after %d questions", i, err, asked)
			}
			time.Sleep(600 * time.Millisecond)
		}
	})
}

// What is remembered is bounded, whatever names clients write.
func TestBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &network{reply: func(context.Context, string, int) (string, error) { return "NXDOMAIN", nil }}
		r := New()
		r.exchange = f.exchange
		conf := &config.Resolver{Servers: []string{"ns"}, NoIPv6: true}
		for i := range maxEntries + 100 {
			_, _ = r.Lookup(t.Context(), fmt.Sprintf("n%d.example", i), conf) // none of them exists
		}
		if n := len(r.entries); n > maxEntries {
			t.Errorf("%d names are remembered", n)
		}
	})
}

// Whatever a name server sends: what is taken from it is bounded, sorted and of
// the kind that was asked for.
func FuzzReply(f *testing.F) {
	for qtype, data := range map[uint16]string{dns.TypeA: "A 10.0.0.1", dns.TypeCNAME: "CNAME b.example.", dns.TypeTXT: "TXT x", dns.TypeSRV: "SRV 1 2 3 b.example."} {
		m := (&dns.Msg{}).SetReply(question("a.example.", dns.TypeA, 7))
		if qtype == dns.TypeSRV {
			m.SetReply(question("a.example.", dns.TypeSRV, 7))
		}
		m.Answer = []dns.RR{record("a.example. 60 IN " + data), record("a.example. 60 IN " + data)}
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "n.", Mbox: "m."}}
		m.Extra = []dns.RR{record("b.example. 60 IN A 10.0.0.2")}
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
		f.Add(packet[:len(packet)-3])
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeSRV} {
			if m, ok := parseReply(question("a.example.", qtype, 7), packet); ok {
				checkAnswer(t, readAnswer(m, "a.example.", qtype), qtype)
			}
		}
	})
}

func checkAnswer(t *testing.T, a answer, qtype uint16) {
	if len(a.addrs) > maxAddresses || len(a.targets) > maxTargets || a.ttl < 0 || a.ttl > maxTTL {
		t.Errorf("%d addresses, %d targets for %v", len(a.addrs), len(a.targets), a.ttl)
	}
	if a.alias != "" && (!a.empty() || sameName(a.alias, "a.example.")) {
		t.Errorf("records and alias %q", a.alias)
	}
	if qtype == dns.TypeA && len(a.targets) > 0 || qtype == dns.TypeSRV && len(a.addrs) > 0 {
		t.Error("records of another type")
	}
	if !slices.IsSortedFunc(a.addrs, netip.Addr.Compare) || !slices.IsSortedFunc(a.targets, func(a, b Record) int { return int(a.Priority) - int(b.Priority) }) {
		t.Error("not sorted")
	}
	for _, addr := range a.addrs {
		if !addr.Is4() {
			t.Errorf("%v is no A record's address", addr)
		}
	}
	for _, r := range a.targets {
		if name, ok := hostName(r.Target); !ok || name != r.Target {
			t.Errorf("target %q", r.Target)
		}
	}
}

func FuzzHostName(f *testing.F) {
	for _, s := range []string{"a.example", "A.", "..", "a\\.b", "_http._tcp.x", "", strings.Repeat("a.", 127)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, ok := hostName(host)
		if !ok {
			return
		}
		if _, valid := dns.IsDomainName(name); !valid || !dns.IsFqdn(name) || name != strings.ToLower(name) {
			t.Errorf("%q became %q", host, name)
		}
		if _, err := question(name, dns.TypeA, 1).Pack(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	})
}
