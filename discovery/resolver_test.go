package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/discovery/dnstest"
)

// records makes n A records of a name.
func records(name string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s 60 IN A 10.%d.%d.%d", name, i>>16&255, i>>8&255, i&255))
	}
	return list
}

// aliases makes a chain of n aliases that ends at 10.0.0.1.
func aliases(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("c%d.example. 60 IN CNAME c%d.example.", i, i+1))
	}
	return append(list, fmt.Sprintf("c%d.example. 60 IN A 10.0.0.1", n))
}

func look(t *testing.T, r *discovery.Resolver, host string, conf *config.Resolver) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	addrs, err := r.Lookup(ctx, host, conf)
	if err != nil {
		return err.Error()
	}
	return strings.Trim(fmt.Sprint(addrs), "[]")
}

func TestLookup(t *testing.T) {
	t.Parallel()
	type script map[string]dnstest.Reply // by type
	for _, c := range []struct {
		name   string
		script script
		host   string // a.example unless written
		conf   config.Resolver
		want   string
	}{
		{"one address", script{"A": {Records: []string{"a.example. 60 IN A 10.0.0.1"}}}, "", config.Resolver{}, "10.0.0.1"},
		{"both families", script{
			"A":    {Records: []string{"a.example. 60 IN A 10.0.0.1"}},
			"AAAA": {Records: []string{"a.example. 60 IN AAAA 2001:db8::1"}},
		}, "", config.Resolver{}, "10.0.0.1 2001:db8::1"},
		{"ipv6=off", script{
			"A":    {Records: []string{"a.example. 60 IN A 10.0.0.1"}},
			"AAAA": {Records: []string{"a.example. 60 IN AAAA 2001:db8::1"}},
		}, "", config.Resolver{NoIPv6: true}, "10.0.0.1"},
		{"ipv4=off", script{
			"A":    {Records: []string{"a.example. 60 IN A 10.0.0.1"}},
			"AAAA": {Records: []string{"a.example. 60 IN AAAA 2001:db8::1"}},
		}, "", config.Resolver{NoIPv4: true}, "2001:db8::1"},
		{"sorted, each once", script{"A": {Shuffle: true, Records: []string{
			"a.example. 60 IN A 10.0.0.3", "a.example. 60 IN A 10.0.0.1", "a.example. 60 IN A 10.0.0.2", "a.example. 60 IN A 10.0.0.1",
		}}}, "", config.Resolver{}, "10.0.0.1 10.0.0.2 10.0.0.3"},
		{"upper case and final dot", script{"A": {Records: []string{"a.example. 60 IN A 10.0.0.1"}}}, "A.Example.", config.Resolver{}, "10.0.0.1"},
		{"unknown name", script{}, "no.example", config.Resolver{}, "3: Host not found"},
		{"name without addresses", script{"A": {}, "AAAA": {}}, "", config.Resolver{}, "3: Host not found"},
		{"no host's name", script{}, "a b", config.Resolver{}, "3: Host not found"},
		{"empty label", script{}, "a..example", config.Resolver{}, "3: Host not found"},
		{"long label", script{}, strings.Repeat("a", 64) + ".example", config.Resolver{}, "3: Host not found"},
		{"server failure", script{"A": {Rcode: dns.RcodeServerFailure}, "AAAA": {Rcode: dns.RcodeServerFailure}}, "", config.Resolver{}, "2: Server failure"},
		{"refused", script{"A": {Rcode: dns.RcodeRefused}, "AAAA": {}}, "", config.Resolver{}, "5: Operation refused"},
		{"one family fails", script{
			"A":    {Records: []string{"a.example. 60 IN A 10.0.0.1"}},
			"AAAA": {Rcode: dns.RcodeServerFailure},
		}, "", config.Resolver{}, "10.0.0.1"},
		{"another id first", script{"A": {
			Records: []string{"a.example. 60 IN A 10.0.0.1"},
			Before:  &dnstest.Reply{WrongID: true, Records: []string{"a.example. 60 IN A 10.6.6.6"}},
		}}, "", config.Resolver{}, "10.0.0.1"},
		{"another question first", script{"A": {
			Records: []string{"a.example. 60 IN A 10.0.0.1"},
			Before:  &dnstest.Reply{WrongQuestion: true, Records: []string{"a.example. 60 IN A 10.6.6.6"}},
		}}, "", config.Resolver{}, "10.0.0.1"},
		{"garbage first", script{"A": {
			Records: []string{"a.example. 60 IN A 10.0.0.1"},
			Before:  &dnstest.Reply{Raw: []byte("\x81\x80\x00\x01\xff\xff\x00\x00\x00\x00\xc0\x0c\xc0\x0c")},
		}}, "", config.Resolver{}, "10.0.0.1"},
		{"records of other names", script{"A": {Records: []string{
			"b.example. 60 IN A 10.6.6.6", "a.example. 60 IN A 10.0.0.1",
		}}}, "", config.Resolver{}, "10.0.0.1"},
		{"cut short", script{"A": {Truncated: true, Records: []string{"a.example. 60 IN A 10.0.0.1"}}}, "", config.Resolver{}, "10.0.0.1"},
		{"no EDNS", script{"A": {NoEDNS: true, Records: []string{"a.example. 60 IN A 10.0.0.1"}}}, "", config.Resolver{}, "10.0.0.1"},
		{"aliases in one answer", script{"A": {Records: aliases(3)}}, "c0.example", config.Resolver{}, "10.0.0.1"},
		{"too many aliases", script{"A": {Records: aliases(300)}}, "c0.example", config.Resolver{NoIPv6: true}, "3: Host not found"},
		{"circle of aliases", script{"A": {Records: []string{
			"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example.",
		}}}, "", config.Resolver{NoIPv6: true}, "3: Host not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t)
			host := c.host
			if host == "" {
				host = "a.example"
			}
			for qtype, reply := range c.script {
				s.On(strings.TrimSuffix(strings.ToLower(host), "."), qtype, reply)
			}
			conf := c.conf
			conf.Servers = []string{s.Addr}
			if got := look(t, discovery.New(), host, &conf); got != c.want {
				t.Errorf("got %s, want %s; asked: %q", got, c.want, s.Asked())
			}
		})
	}
}

// A chain whose end the server leaves out is asked for.
func TestAliasElsewhere(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.On("a.example", "A", dnstest.Reply{Records: []string{"a.example. 60 IN CNAME b.example."}})
	s.On("b.example", "A", dnstest.Reply{Records: []string{"b.example. 60 IN CNAME c.example."}})
	s.On("c.example", "A", dnstest.Reply{Records: []string{"c.example. 60 IN A 10.0.0.1"}})
	conf := &config.Resolver{Servers: []string{s.Addr}, NoIPv6: true}
	if got := look(t, discovery.New(), "a.example", conf); got != "10.0.0.1" {
		t.Errorf("got %s; asked %q", got, s.Asked())
	}
}

// A circle over several answers ends.
func TestAliasesWithoutEnd(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.On("a.example", "A", dnstest.Reply{Records: []string{"a.example. 60 IN CNAME b.example."}})
	s.On("b.example", "A", dnstest.Reply{Records: []string{"b.example. 60 IN CNAME a.example."}})
	conf := &config.Resolver{Servers: []string{s.Addr}, NoIPv6: true}
	if got := look(t, discovery.New(), "a.example", conf); got != "2: Server failure" {
		t.Errorf("got %s", got)
	}
	if n := len(s.Asked()); n > 16 {
		t.Errorf("%d questions were asked", n)
	}
}

func TestThousandsOfRecords(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.On("a.example", "A", dnstest.Reply{Truncated: true, Records: records("a.example.", 3000)})
	conf := &config.Resolver{Servers: []string{s.Addr}, NoIPv6: true}
	addrs, err := discovery.New().Lookup(t.Context(), "a.example", conf)
	if err != nil || len(addrs) != 1024 {
		t.Errorf("%d addresses, error %v", len(addrs), err)
	}
}

// The next name server is asked when one cannot answer.
func TestNextServer(t *testing.T) {
	t.Parallel()
	nobody := loopback.Free(t).String()
	bad, good := dnstest.Start(t), dnstest.Start(t)
	bad.On("a.example", "A", dnstest.Reply{Rcode: dns.RcodeServerFailure})
	good.On("a.example", "A", dnstest.Reply{Records: []string{"a.example. 0 IN A 10.0.0.1"}})
	r := discovery.New()
	conf := &config.Resolver{Servers: []string{nobody, bad.Addr, good.Addr}, NoIPv6: true}
	for range 3 { // each of them is the first one once
		if got := look(t, r, "a.example", conf); got != "10.0.0.1" {
			t.Fatalf("got %s", got)
		}
	}
	if b, g := len(bad.Asked()), len(good.Asked()); b != 2 || g != 3 {
		t.Errorf("the failing server was asked %d times, the other one %d times", b, g)
	}
}

// Many who ask for one name share one look-up.
func TestShared(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	hold := make(chan struct{})
	s.On("a.example", "A", dnstest.Reply{Hold: hold, Records: []string{"a.example. 0 IN A 10.0.0.1"}})
	conf := &config.Resolver{Servers: []string{s.Addr}, NoIPv6: true}
	r := discovery.New()
	got := make(chan string)
	for range 20 {
		go func() { got <- look(t, r, "a.example", conf) }()
	}
	s.Wait(t, 1)
	// One of them leaves early and disturbs nobody.
	left := errors.New("left")
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := make(chan error)
	go func() {
		_, err := r.Lookup(ctx, "a.example", conf)
		gone <- err
	}()
	cancel(left)
	if err := <-gone; err != left {
		t.Errorf("who left got %v", err)
	}
	close(hold)
	for range 20 {
		if text := <-got; text != "10.0.0.1" {
			t.Errorf("got %s", text)
		}
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.On("a.example", "A", dnstest.Reply{Silent: true})
	conf := &config.Resolver{Servers: []string{s.Addr}, NoIPv6: true}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := discovery.New().Lookup(ctx, "a.example", conf)
	if e, ok := errors.AsType[*discovery.Error](err); !ok || e.Code != discovery.TimedOut || e.Error() != "110: Operation timed out" {
		t.Errorf("got %v", err)
	}
}
