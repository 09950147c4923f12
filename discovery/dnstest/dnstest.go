// Package dnstest runs name servers for tests, inside the test's process and
// on loopback, that answer by script.
package dnstest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Response codes for Reply.Rcode.
const (
	ServerFailure = dns.RcodeServerFailure
	NameError     = dns.RcodeNameError
	Refused       = dns.RcodeRefused
)

// Reply is what a server does about one question. The zero Reply is an empty
// answer: the name exists and has no such records.
type Reply struct {
	Records []string // of the answer section, as a zone file has them
	Extra   []string // of the additional section
	Rcode   int      // such as ServerFailure

	Shuffle       bool            // another order of the records each time
	Truncated     bool            // over UDP: no records, but the flag to come again over TCP
	WrongID       bool            // the reply carries another id
	WrongQuestion bool            // the reply carries another question
	Silent        bool            // no reply at all
	NoEDNS        bool            // FORMERR, without a question, to queries with EDNS
	Raw           []byte          // these bytes behind the query's id, instead of a reply
	Before        *Reply          // is done first, as what a stranger's packet would do
	Hold          <-chan struct{} // the reply waits until it is closed
}

// Server is one name server. Its methods are safe for concurrent use.
type Server struct {
	// Addr is where it listens, over UDP and TCP: "127.0.0.1:40053".
	Addr string

	mu      sync.Mutex
	script  map[string][]Reply
	asked   []string
	changed chan struct{} // closed and replaced with each question
	closed  chan struct{}
}

// Start runs a server until the test ends. It says NXDOMAIN to whatever its
// script does not know.
func Start(t testing.TB) *Server {
	t.Helper()
	udp, tcp := listen(t)
	s := &Server{
		Addr: udp.LocalAddr().String(), script: map[string][]Reply{},
		changed: make(chan struct{}), closed: make(chan struct{}),
	}
	for _, d := range []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		started := make(chan struct{})
		d.NotifyStartedFunc = func() { close(started) }
		ended := make(chan error, 1)
		go func() { ended <- d.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-ended:
			t.Fatalf("name server: %v", err)
		}
		t.Cleanup(func() {
			if err := d.Shutdown(); err != nil {
				t.Errorf("name server: %v", err)
			}
			<-ended
		})
	}
	t.Cleanup(func() { close(s.closed) }) // before the servers wait for what is held
	return s
}

// listen finds a port that is free for both protocols.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		_ = tcp.Close() // another one is tried
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// On tells what to do about questions for a name and a type ("A", "AAAA"): one
// reply after the other, and the last again and again. It replaces what was
// said before.
func (s *Server) On(name, qtype string, replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[strings.ToLower(dns.Fqdn(name))+" "+qtype] = replies
}

// Host gives a name addresses that live for ttl seconds.
func (s *Server) Host(name string, ttl int, addrs ...string) {
	var four, six Reply
	for _, a := range addrs {
		if strings.Contains(a, ":") {
			six.Records = append(six.Records, fmt.Sprintf("%s %d IN AAAA %s", dns.Fqdn(name), ttl, a))
		} else {
			four.Records = append(four.Records, fmt.Sprintf("%s %d IN A %s", dns.Fqdn(name), ttl, a))
		}
	}
	s.On(name, "A", four)
	s.On(name, "AAAA", six)
}

// Asked returns the questions so far, such as "udp a.example. A".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Wait returns when at least n questions have been asked.
func (s *Server) Wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		s.mu.Lock()
		have, changed := len(s.asked), s.changed
		s.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d questions were asked, want %d: %q", have, n, s.Asked())
		}
	}
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	network := w.LocalAddr().Network()
	question := q.Question[0]
	name := strings.ToLower(question.Name) + " " + dns.TypeToString[question.Qtype]
	s.mu.Lock()
	s.asked = append(s.asked, network+" "+name)
	close(s.changed)
	s.changed = make(chan struct{})
	reply := Reply{Rcode: dns.RcodeNameError}
	if list := s.script[name]; len(list) > 0 {
		if reply = list[0]; len(list) > 1 {
			s.script[name] = list[1:]
		}
	}
	s.mu.Unlock()
	if reply.Hold != nil {
		select {
		case <-reply.Hold:
		case <-s.closed:
			return
		}
	}
	if reply.Before != nil {
		s.write(w, q, reply.Before, network)
	}
	s.write(w, q, &reply, network)
}

// write sends one reply. A client that does not wait for it is none of ours.
func (s *Server) write(w dns.ResponseWriter, q *dns.Msg, r *Reply, network string) {
	if r.Silent {
		return
	}
	if r.Raw != nil {
		_, _ = w.Write(append(binary.BigEndian.AppendUint16(nil, q.Id), r.Raw...))
		return
	}
	m := (&dns.Msg{}).SetRcode(q, r.Rcode)
	m.Compress = true
	switch {
	case r.NoEDNS && q.IsEdns0() != nil:
		m.Rcode, m.Question = dns.RcodeFormatError, nil
	case r.Truncated && network == "udp":
		m.Truncated = true
	default:
		m.Answer, m.Extra = parse(r.Records), append(m.Extra, parse(r.Extra)...)
	}
	if r.Shuffle {
		rand.Shuffle(len(m.Answer), func(i, j int) { m.Answer[i], m.Answer[j] = m.Answer[j], m.Answer[i] })
	}
	if r.WrongID {
		m.Id++
	}
	if r.WrongQuestion {
		m.Question[0].Name = "other.example."
	}
	if network == "udp" && m.Len() > max(dns.MinMsgSize, size(q.IsEdns0())) {
		m.Answer, m.Extra, m.Truncated = nil, nil, true
	}
	_ = w.WriteMsg(m)
}

// parse reads records as a zone file has them.
func parse(lines []string) (list []dns.RR) {
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(fmt.Sprintf("dnstest: record %q: %v", line, err))
		}
		list = append(list, rr)
	}
	return list
}

// size is the packet that a client takes.
func size(opt *dns.OPT) int {
	if opt == nil {
		return 0
	}
	return int(opt.UDPSize())
}
