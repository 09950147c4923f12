package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// refused checks that something was counted, that one line of the log tells of it and no more, and that the node still
// knows only its own.
func refused(t *testing.T, n *testNode, counter func(Stats) uint64, times uint64, words string) {
	t.Helper()
	eventually(t, "it is counted, and told", func() bool { return counter(n.Stats()) >= times && len(n.told(words)) > 0 })
	if lines := n.told(words); len(lines) != 1 {
		t.Errorf("%d lines of the log have %q:\n%s", len(lines), words, strings.Join(n.told(""), "\n"))
	}
}

func strangers(s Stats) uint64 { return s.Strangers }

// TestStrangers: who has another key, belongs to another cluster or talks nonsense is refused on both ports, with one
// line each however often it comes.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Options)
		words  string
	}{
		{"another key", func(o *Options) { o.Keys = [][]byte{keyOf(9)} }, "not encrypted with a key of this cluster"},
		{"another cluster", func(o *Options) { o.Cluster = "other" }, "belongs to another cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, stranger := startOn(t, 0, nil), startOn(t, 1, c.change)
			for range 3 {
				if _, err := stranger.Join(t.Context(), []string{n.Addr()}); err == nil {
					t.Error("it has joined")
				}
				// The same by packets.
				err := stranger.list.SendToAddress(memberlist.Address{Addr: n.Addr()}, batch{nodeID{15: 2}, 1, []entry{{slot{KindOwn, 1}, 1, nil}}}.encode())
				if err != nil {
					t.Error(err)
				}
			}
			refused(t, n, strangers, 6, c.words)
			if len(n.Members()) != 1 {
				t.Errorf("members: %v", n.Members())
			}
		})
	}
}

// TestOutside: packets and streams from addresses that are not allowed are dropped unread, counted, and told once for each
// address, even those of somebody who has the key; nor is such a node taken for a member because another tells of it.
func TestOutside(t *testing.T) {
	t.Parallel()
	outside := func(s Stats) uint64 { return s.Outside }
	inside := func(from netip.Addr) bool { return from == netip.MustParseAddr("127.0.0.1") }
	elsewhere := netip.MustParseAddr(loopback.Network(t) + "1")
	n := startOn(t, 0, func(o *Options) { o.Allow = inside })
	other := startOn(t, 1, nil)
	stranger := startOn(t, 2, func(o *Options) { o.Listen = netip.AddrPortFrom(elsewhere, o.Listen.Port()) })
	for range 3 {
		if _, err := stranger.Join(t.Context(), []string{n.Addr()}); err == nil {
			t.Error("it has joined")
		}
		packet := batch{nodeID{15: 2}, 1, []entry{{slot{KindOwn, 1}, 1, nil}}}.encode()
		if err := stranger.list.SendToAddress(memberlist.Address{Addr: n.Addr()}, packet); err != nil {
			t.Error(err)
		}
	}
	refused(t, n, outside, 6, fmt.Sprintf("refused what came from %s:", elsewhere))
	if s := n.Stats(); s.Strangers+s.Malformed+s.Packets > 0 {
		t.Errorf("it was looked at: %+v", s)
	}

	for _, to := range []*testNode{n, stranger} {
		if _, err := other.Join(t.Context(), []string{to.Addr()}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the other one knows both", func() bool { return len(other.Members()) == 3 })
	eventually(t, "it is told of the stranger", func() bool { return len(n.told("node "+idOf(2)+" is not admitted: its address is not allowed")) > 0 })
	if list := n.Members(); len(list) != 2 {
		t.Errorf("members: %v", list)
	}
}

// TestGarbage sends nonsense to both ports.
func TestGarbage(t *testing.T) {
	t.Parallel()
	n := startOn(t, 0, nil)
	for _, junk := range [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0}, 1400), bytes.Repeat([]byte{0xf4}, 300), {1}} {
		for _, network := range []string{"udp", "tcp"} {
			conn, err := net.Dial(network, n.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(junk); err != nil {
				t.Error(err)
			}
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.CloseWrite()
				conn.SetReadDeadline(time.Now().Add(time.Minute))
				for b := make([]byte, 512); err == nil; {
					_, err = conn.Read(b)
				}
			}
			conn.Close()
		}
	}
	eventually(t, "all is counted", func() bool { return n.Stats().Strangers >= 8 })
	if lines := len(n.told("")); lines == 0 || lines > 6 {
		t.Errorf("%d lines:\n%s", lines, strings.Join(n.told(""), "\n"))
	}
	other := startOn(t, 1, nil)
	if _, err := other.Join(t.Context(), []string{n.Addr()}); err != nil {
		t.Errorf("nobody can join any more: %v", err)
	}
}

// TestEndlessStream: a stream that announces much and goes on is cut off, and not many are held at a time.
func TestEndlessStream(t *testing.T) {
	t.Parallel()
	n := startOn(t, 0, nil)
	conn, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	label := "weir/shop"
	head := append([]byte{244, byte(len(label))}, label...)
	head = append(head, 10, 1, 0, 0, 0) // encrypted, 16 MiB
	_, err = conn.Write(head)
	chunk := make([]byte, 64<<10)
	sent := 0
	for err == nil && sent < 256<<20 { // much more than the system keeps for who does not read
		var more int
		more, err = conn.Write(chunk)
		sent += more
	}
	if err == nil {
		t.Error("256 MiB were taken")
	}
	refused(t, n, func(s Stats) uint64 { return s.Oversized }, 1, "too long")
}

// dialed is a connection to the streams of a node, as another member would make it.
func dialed(t *testing.T, n *testNode) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.meta.Load().Link)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestBadStreams: our own streams refuse nonsense, too, and who claims to be another.
func TestBadStreams(t *testing.T) {
	t.Parallel()
	n := startOn(t, 0, func(o *Options) { o.Who = func(net.Conn) string { return idOf(1) } })
	good := hello{nodeID{15: 2}, 1, 0}.encode(frameHello)
	for _, c := range []struct {
		name, words string
		bytes       []byte
	}{
		{"garbage", "frame of 1195725856 bytes", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"no hello", ": greeting: malformed", seal(frame(frameAck))},
		{"someone else", "claims to be node", hello{nodeID{15: 9}, 1, 0}.encode(frameHello)},
		{"malformed frame", "node " + idOf(1) + ": malformed", append(bytes.Clone(good), seal(append(frame(frameVector), 1, 2, 3))...)},
		{"endless frame", "frame of 4294967295 bytes", append(bytes.Clone(good), 255, 255, 255, 255, 3)},
	} {
		before := n.Stats().Malformed
		conn := dialed(t, n)
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		var err error
		for b := make([]byte, 512); err == nil; {
			_, err = conn.Read(b)
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: the connection stays", c.name)
		}
		eventually(t, c.name, func() bool { return n.Stats().Malformed > before })
		eventually(t, c.name+" is told", func() bool { return len(n.told(c.words)) == 1 })
	}
}

// TestImpostors: a node that claims the identity of one that is alive, or that may not be a member, is refused, and
// what is said in the name of others counts for nothing.
func TestImpostors(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 3, 1, func(s *simulation) {
			target := s.nodes[0]
			twin := s.start(1, 7, 1) // the id of node 1, elsewhere
			defer twin.Close()
			_, _ = twin.Join(t.Context(), []string{target.host.addr.String()})
			s.pause(time.Second)
			if n := len(target.told("claims to be node " + idOf(1))); n != 1 || target.Stats().Unknown == 0 {
				t.Errorf("%d lines:\n%s", n, strings.Join(target.told(""), "\n"))
			}
			if m := target.Members()[1]; m.Addr != s.nodes[1].host.addr.String() || !m.Alive {
				t.Errorf("node 1 is now %+v", m)
			}
			before := target.Stats().Unknown
			target.packet(batch{nodeID{15: 99}, 1, []entry{{slot{kindReport, 1}, 1, Report{Status: 3}.entry().value}}}.encode())
			target.packet(batch{target.self, 5, []entry{{slot{kindReport, 1}, 1, Report{Status: 3}.entry().value}}}.encode())
			target.packet(batch{target.self, 1, []entry{{slot{kindReport, 1}, 1, nil}}}.encode()) // it has said nothing yet
			target.packet([]byte("nonsense"))
			s.pause(time.Second)
			if got := target.Stats(); got.Unknown != before+3 || got.Malformed != 1 || target.count() != 0 {
				t.Errorf("%+v, %d reports", got, target.count())
			}
			if len(target.told("copy of the data folder")) != 1 || len(target.told("malformed packet")) != 1 {
				t.Errorf("%s", strings.Join(target.told(""), "\n"))
			}
		})
	})
}

// TestAdmit: the injected rule decides who is a member.
func TestAdmit(t *testing.T) {
	t.Parallel()
	n := startOn(t, 0, func(o *Options) {
		o.Admit = func(m Member) error {
			if m.Name == "node2" {
				return fmt.Errorf("it was removed")
			}
			return nil
		}
	})
	good, bad := startOn(t, 1, nil), startOn(t, 2, nil)
	for _, other := range []*testNode{good, bad} {
		_, _ = other.Join(t.Context(), []string{n.Addr()})
	}
	eventually(t, "one has joined", func() bool { return len(n.Members()) == 2 })
	refused(t, n, func(s Stats) uint64 { return s.Unknown }, 1, "is not admitted: it was removed")
}

// TestReplay: packets that were recorded are of no use later.
func TestReplay(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 2, 1, func(s *simulation) {
			a, b := s.nodes[0], s.nodes[1]
			b.host.record(true)
			a.Publish(Report{Key: 1, Status: 3})
			s.pause(time.Second)
			b.host.record(false)
			a.Publish(Report{Key: 1, Status: 1})
			s.pause(2 * replayAfter)
			if n := b.host.replay(); n == 0 {
				t.Fatal("nothing was recorded")
			}
			s.pause(time.Second)
			if !b.has(idOf(0), 1, 1) || b.Stats().Replayed == 0 || len(b.told("come again")) != 1 {
				t.Errorf("%+v %+v\n%s", b.reports, b.Stats(), strings.Join(b.told(""), "\n"))
			}
		})
	})
}

// TestFloodOfRefusals: packets with many forged addresses do not make as many lines of the log.
func TestFloodOfRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		counts := &counters{}
		j := newJournal(func(_, text string) { lines = append(lines, text) }, counts)
		for i := range 5000 {
			fmt.Fprintf(j, "[ERR] memberlist: Decrypt packet failed: no key from=10.%d.%d.1:7946\n", i>>8, i&255)
		}
		if len(lines) != hostsTold || counts.strangers.Load() != 5000 {
			t.Errorf("%d lines, %d counted", len(lines), counts.strangers.Load())
		}
		time.Sleep(quietFor + time.Second)
		fmt.Fprintln(j, "[ERR] memberlist: Decrypt packet failed: no key from=10.9.9.9:7946")
		if last := lines[len(lines)-1]; len(lines) != hostsTold+1 || !strings.Contains(last, "10.9.9.9") || !strings.Contains(last, "4990 more") {
			t.Errorf("%d lines, the last %q", len(lines), last)
		}
	})
}

// TestJournal: the lines of memberlist that matter become ours, the others do not.
func TestJournal(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"[DEBUG] memberlist: Stream connection from=1.2.3.4:5":                                "",
		"[INFO] memberlist: Marking x as failed":                                              "",
		"[ERR] memberlist: Push/Pull with x failed: dial":                                     "info gossip: Push/Pull with x failed: dial",
		"[WARN] memberlist: Was able to connect to x over TCP but UDP probes failed, network": "warn gossip: packets get lost",
		"[ERR] memberlist: discarding packet with unacceptable label \"x\": from=1.2.3.4:5":   "warn gossip: refused what came from 1.2.3.4:5: it belongs to another cluster",
		"[WARN] memberlist: handler queue full, dropping message (8) from=1.2.3.4:5":          "warn gossip: handler queue full",
		"no mark at all": "info gossip: no mark at all",
	} {
		got := ""
		j := newJournal(func(level, text string) { got += level + " " + text }, &counters{})
		fmt.Fprintln(j, line)
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
