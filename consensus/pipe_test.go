package consensus

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is a connection in memory. Unlike those of the system it can be waited
// for in the time of a test, and unlike net.Pipe it takes what nobody reads yet.
type pipe struct {
	in, out    *flow
	addr, peer raftAddr

	mu       sync.Mutex
	deadline time.Time
}

// flow is one direction of a pipe.
type flow struct {
	mu     sync.Mutex
	bytes  []byte
	closed bool
	news   bell
}

// newPipe returns both ends of a connection between two addresses.
func newPipe(a, b string) (net.Conn, net.Conn) {
	there, back := &flow{}, &flow{}
	return &pipe{in: back, out: there, addr: raftAddr(a), peer: raftAddr(b)}, &pipe{in: there, out: back, addr: raftAddr(b), peer: raftAddr(a)}
}

func (p *pipe) Read(b []byte) (int, error) {
	for {
		news := p.in.news.wait()
		if n, err := p.in.take(b); n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		p.mu.Lock()
		deadline := p.deadline
		p.mu.Unlock()
		if deadline.IsZero() {
			<-news
			continue
		}
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-news:
			timer.Stop()
		case <-timer.C:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (f *flow) take(b []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = copy(b, f.bytes)
	f.bytes = f.bytes[n:]
	if n == 0 && f.closed {
		err = io.EOF
	}
	return n, err
}

func (p *pipe) Write(b []byte) (int, error) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if p.out.closed {
		return 0, net.ErrClosed
	}
	p.out.bytes = append(p.out.bytes, b...)
	p.out.news.ring()
	return len(b), nil
}

func (p *pipe) Close() error {
	for _, f := range []*flow{p.in, p.out} {
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		f.news.ring()
	}
	return nil
}

func (p *pipe) LocalAddr() net.Addr  { return p.addr }
func (p *pipe) RemoteAddr() net.Addr { return p.peer }

func (p *pipe) SetDeadline(at time.Time) error { return p.SetReadDeadline(at) }

func (p *pipe) SetReadDeadline(at time.Time) error {
	p.mu.Lock()
	p.deadline = at
	p.mu.Unlock()
	p.in.news.ring() // who reads looks at it anew
	return nil
}

// SetWriteDeadline does nothing: a write never waits.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
