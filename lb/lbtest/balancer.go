package lbtest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/errorlog"
)

// Patience is how long the package waits for what a test expects to happen.
const Patience = 30 * time.Second

// Balancer is a running balancer. Its methods are for one goroutine at a
// time, but for Addr and Dial.
type Balancer struct {
	*lb.Balancer
	Dir    string // prefix of relative names in the configuration
	Errors *Log   // the error log, from level info on
	Access *Log   // logs/access.log, where access_log is not written otherwise

	tb    testing.TB
	logs  *errorlog.Set
	ports map[netip.AddrPort]netip.AddrPort // as written → as bound
}

// Start serves a configuration until the test ends. The text is that of a
// whole file; relative names in it lie in Dir, a new one or that of New.
func Start(tb testing.TB, conf string) *Balancer {
	tb.Helper()
	b := New(tb)
	if _, err := b.Reload(conf); err != nil {
		tb.Fatal(err)
	}
	return b
}

// New returns a balancer that serves nothing until Reload, for tests that
// first put files into Dir or need other options.
func New(tb testing.TB, options ...func(*lb.Options)) *Balancer {
	tb.Helper()
	b := &Balancer{tb: tb, Dir: tb.TempDir(), Errors: &Log{}, ports: map[netip.AddrPort]netip.AddrPort{}}
	b.Access = &Log{path: filepath.Join(b.Dir, "access.log")}
	b.logs = errorlog.NewSet(errorlog.Options{Stderr: b.Errors, PID: 1})
	log, err := b.logs.Open([]errorlog.Target{{Level: errorlog.Info, Stderr: true}})
	if err != nil {
		tb.Fatal(err)
	}
	o := lb.Options{Logs: b.logs, Log: log, Version: "1", Hostname: "host"}
	for _, set := range options {
		set(&o)
	}
	b.Balancer, err = lb.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error("close:", err)
		}
		if tb.Failed() {
			tb.Logf("error log:\n%s", b.Errors)
		}
	})
	return b
}

// Write puts a file into Dir and returns its path.
func (b *Balancer) Write(name, text string) string {
	b.tb.Helper()
	path := filepath.Join(b.Dir, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		b.tb.Fatal(err)
	}
	return path
}

// Load reads a configuration and puts the ports of this run into it.
func (b *Balancer) Load(conf string) (*config.Config, error) {
	b.tb.Helper()
	cfg, err := config.Load(config.Options{
		File: b.Write("weir.conf", conf), Globals: "error_log stderr info;", AccessLog: b.Access.path,
		StateDir: b.Dir, Hostname: "host",
	})
	if err != nil {
		return nil, err
	}
	if cfg.HTTP == nil {
		return cfg, nil
	}
	for _, s := range cfg.HTTP.Servers {
		for i := range s.Listens {
			l := &s.Listens[i]
			if !l.Addr.IsValid() {
				continue
			}
			l.Addr = b.port(l.Addr)
			l.Port = l.Addr.Port()
		}
	}
	return cfg, nil
}

// Reload makes a configuration the one that serves. The channel is closed when
// the last request of the one before has ended.
func (b *Balancer) Reload(conf string) (retired <-chan struct{}, err error) {
	b.tb.Helper()
	cfg, err := b.Load(conf)
	if err != nil {
		return nil, err
	}
	p, err := b.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	return p.Start(), nil
}

// port returns the port that stands for a written one.
func (b *Balancer) port(written netip.AddrPort) netip.AddrPort {
	b.tb.Helper()
	if real, ok := b.ports[written]; ok {
		return real
	}
	port := uint16(0)
	for other, real := range b.ports { // 8080 is the same port on every address
		if other.Port() == written.Port() {
			port = real.Port()
		}
	}
	if port == 0 {
		port = loopback.Free(b.tb).Port()
	}
	real := netip.AddrPortFrom(written.Addr(), port)
	b.ports[written] = real
	return real
}

// Addr returns the address that stands for one written in the configuration.
func (b *Balancer) Addr(written string) string {
	b.tb.Helper()
	real, ok := b.ports[netip.MustParseAddrPort(written)]
	if !ok {
		b.tb.Fatalf("nothing listens on %s", written)
	}
	return real.String()
}

// Dial connects to an address of the configuration, "127.0.0.1:8080", or to a
// unix socket, "unix:PATH".
func (b *Balancer) Dial(written string) *Client {
	b.tb.Helper()
	network, addr := "unix", written
	if len(written) < 5 || written[:5] != "unix:" {
		network, addr = "tcp", b.Addr(written)
	} else {
		addr = written[5:]
	}
	conn, err := net.DialTimeout(network, addr, Patience)
	if err != nil {
		b.tb.Fatal(err)
	}
	return NewClient(b.tb, conn)
}

// Get asks for a path on a connection of its own and returns the reply.
func (b *Balancer) Get(written, path string) *Reply {
	b.tb.Helper()
	c := b.Dial(written)
	c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	return c.Reply()
}

// Drained drains the balancer and fails the test where that takes too long.
func (b *Balancer) Drained() {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := b.Drain(ctx); err != nil {
		b.tb.Fatal("drain:", err)
	}
}

// AddrPort reads an address, as Backend.Addr gives it.
func (b *Balancer) AddrPort(addr string) netip.AddrPort {
	b.tb.Helper()
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		b.tb.Fatal(err)
	}
	return ap
}
