package gossip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"
)

const (
	greetTimeout = 5 * time.Second
	writeTimeout = 10 * time.Second
	idleLimit    = time.Minute
	ackTimeout   = 10 * time.Second
	answersLimit = 64 // vectors and wants that wait to be written
)

// talk is one connection with a member: its frames are read by one goroutine and written by another, so that neither
// end waits for the other to read.
type talk struct {
	g       *Gossip
	conn    net.Conn
	in      *bufio.Reader
	other   hello
	courier *courier // if this end dialed

	wake   chan struct{}
	broken chan struct{}

	mu      sync.Mutex
	answers [][]byte
	gives   map[nodeID]mark // deltas that are due, after these marks
	ack     uint64          // the last post that came
	acked   uint64          // the last one that was acknowledged
}

// newTalk takes over a connection.
func (g *Gossip) newTalk(conn net.Conn) *talk {
	t := &talk{
		g: g, conn: conn, in: bufio.NewReaderSize(conn, 16<<10),
		wake: make(chan struct{}, 1), broken: make(chan struct{}),
	}
	g.mu.Lock()
	g.talks[t] = true
	g.mu.Unlock()
	if g.ctx.Err() != nil { // Close has not seen it
		conn.Close()
	}
	return t
}

// end gives the connection up.
func (t *talk) end() {
	t.conn.Close()
	t.g.mu.Lock()
	delete(t.g.talks, t)
	t.g.mu.Unlock()
}

// accept welcomes those who dial, until Close.
func (g *Gossip) accept() {
	for {
		conn, err := g.o.Stream.Accept()
		if err != nil {
			return
		}
		welcomed := g.launch(func() {
			t := g.newTalk(conn)
			defer t.end()
			if err := t.welcome(); err != nil {
				g.journal.refuse(&g.counts.malformed, conn.RemoteAddr().String(), err.Error())
				return
			}
			if err := t.run(); errors.Is(err, errMalformed) || errors.Is(err, errOversized) {
				g.journal.refuse(&g.counts.malformed, conn.RemoteAddr().String(), "node "+t.other.id.String()+": "+err.Error())
			}
		})
		if !welcomed {
			conn.Close()
		}
	}
}

// greet says hello to the member that was dialed.
func (t *talk) greet(id nodeID) (hello, error) {
	t.conn.SetDeadline(time.Now().Add(greetTimeout))
	defer t.conn.SetDeadline(time.Time{})
	if _, err := t.conn.Write(hello{id: t.g.self, boot: t.g.o.Meta.Boot}.encode(frameHello)); err != nil {
		return hello{}, err
	}
	h, err := t.meet(frameWelcome)
	if err == nil && h.id != id {
		err = fmt.Errorf("node %s is there", h.id)
	}
	t.other = h
	return h, err
}

// welcome answers the hello of the one who dialed.
func (t *talk) welcome() error {
	t.conn.SetDeadline(time.Now().Add(greetTimeout))
	defer t.conn.SetDeadline(time.Time{})
	h, err := t.meet(frameHello)
	if err != nil {
		return err
	}
	t.other = h
	t.acked = t.g.inboxes.lastOf(h.id, h.boot)
	t.ack = t.acked
	_, err = t.conn.Write(hello{t.g.self, t.g.o.Meta.Boot, t.acked}.encode(frameWelcome))
	return err
}

// meet reads who is at the other end, and compares with what the connection knows of it.
func (t *talk) meet(frame byte) (hello, error) {
	what, body, _, err := readFrame(t.in, nil)
	if err != nil {
		return hello{}, fmt.Errorf("no greeting: %w", err)
	}
	h, err := decodeHello(body)
	if err != nil || what != frame || h.boot == 0 {
		return hello{}, fmt.Errorf("greeting: %w", errMalformed)
	}
	if t.g.o.Who != nil {
		if who := t.g.o.Who(t.conn); who != h.id.String() {
			return hello{}, fmt.Errorf("node %s claims to be node %s", who, h.id)
		}
	}
	return h, nil
}

// run reads until the connection ends, which the writer does when it has been idle.
func (t *talk) run() error {
	var writer sync.WaitGroup
	writer.Go(t.write)
	err := t.read()
	close(t.broken)
	t.conn.Close()
	writer.Wait()
	return err
}

func (t *talk) read() error {
	var buf []byte
	for {
		what, body, next, err := readFrame(t.in, buf)
		if err != nil {
			return err
		}
		buf = next
		if err := t.frame(what, body); err != nil {
			return err
		}
		if cap(buf) > deltaLimit*2 {
			buf = nil
		}
	}
}

// frame does what one asks for. Those of unknown kinds are from newer programs, and passed over.
func (t *talk) frame(what byte, body []byte) error {
	switch what {
	case frameVector, frameWant:
		complete, marks, err := decodeVector(body)
		if err != nil {
			return err
		}
		if what == frameVector {
			t.g.vectorCame(t, complete, marks)
		} else {
			t.g.wantCame(t, complete, marks)
		}
	case frameDelta:
		d, err := decodeDelta(body)
		if err != nil {
			return err
		}
		t.g.deltaCame(d)
	case framePost:
		return t.post(body)
	case frameAck:
		r := reader{rest: body}
		if seq := r.uvarint(); t.courier != nil && !r.bad {
			t.courier.g.counts.sessionSent.Add(uint64(t.courier.outbox.acknowledge(seq)))
		}
		return r.done()
	}
	return nil
}

// post takes in one that was sent to this node.
func (t *talk) post(body []byte) error {
	r := reader{rest: body}
	seq, kind := r.uvarint(), r.byte()
	if r.bad {
		return errMalformed
	}
	if kind == postSessions {
		zone, list, err := decodeSessions(r.rest, time.Now())
		if err != nil {
			return err
		}
		if seq > t.g.inboxes.lastOf(t.other.id, t.other.boot) && !t.g.out.learned(zone, list) {
			return errors.New("sessions come faster than they can be taken in")
		}
	}
	t.g.inboxes.accept(t.other.id, mark{t.other.boot, seq})
	t.mu.Lock()
	t.ack = seq
	t.mu.Unlock()
	signal(t.wake)
	return nil
}

// send has a frame written.
func (t *talk) send(frame []byte) {
	t.mu.Lock()
	if len(t.answers) < answersLimit {
		t.answers = append(t.answers, frame)
	}
	t.mu.Unlock()
	signal(t.wake)
}

// give has deltas written.
func (t *talk) give(after map[nodeID]mark) {
	t.mu.Lock()
	if t.gives == nil {
		t.gives = map[nodeID]mark{}
	}
	maps.Copy(t.gives, after)
	t.mu.Unlock()
	signal(t.wake)
}

// write writes what there is, until the connection ends. An end that dialed closes it when nothing has been written
// for a while.
func (t *talk) write() {
	defer t.conn.Close()
	out := bufio.NewWriterSize(t.conn, deltaLimit)
	idle := time.Now()
	for {
		frames := t.due()
		if len(frames) > 0 {
			idle = time.Now()
			t.conn.SetWriteDeadline(idle.Add(writeTimeout))
			for _, f := range frames {
				out.Write(f) // an error stays for Flush
			}
			if out.Flush() != nil {
				return
			}
			continue
		}
		wait := idleLimit
		if t.courier != nil && t.courier.outbox.waits() {
			wait = ackTimeout
		}
		select {
		case <-t.wake:
			continue
		case <-t.broken:
			return
		case <-time.After(wait):
		}
		if t.courier != nil && time.Since(idle) >= wait {
			return
		}
	}
}

// due gathers what is to be written now.
func (t *talk) due() (frames [][]byte) {
	t.mu.Lock()
	frames, t.answers = t.answers, nil
	gives := t.gives
	t.gives = nil
	if t.ack > t.acked {
		t.acked = t.ack
		frames = append(frames, seal(binary.AppendUvarint(frame(frameAck), t.ack)))
	}
	t.mu.Unlock()
	var deltas [][]byte
	for id, after := range gives {
		if d, some := t.g.table.since(id, after); some {
			deltas = append(deltas, deltaFrames(d)...)
		}
	}
	frames = append(deltas, frames...)
	if t.courier != nil {
		frames = append(frames, t.courier.due()...)
	}
	return frames
}
