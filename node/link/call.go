package link

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"
)

// Bounds of calls.
const (
	maxCallTime = time.Minute // and how long a call without a deadline may take
	idleTime    = time.Minute // for which a connection waits for the next call
	frameTime   = 10 * time.Second
	maxIdle     = 4                // connections for calls to one address
	lateTime    = 20 * time.Second // for an answer that nobody waits for any more
)

// CallError says why a call has no answer.
type CallError struct {
	Addr string
	Verb string
	// Undone is set if it is certain that the handler has not run and will not.
	Undone bool
	Err    error
}

// Error names address, verb and cause.
func (e *CallError) Error() string { return fmt.Sprintf("call %q of %s: %v", e.Verb, e.Addr, e.Err) }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// HandlerError is the cause of a call whose handler failed, in its words.
type HandlerError struct{ Text string }

// Error returns the text.
func (e *HandlerError) Error() string { return e.Text }

// pool keeps the connections that wait for the next call.
type pool struct {
	mu   sync.Mutex
	idle map[string][]*Conn // by address, the one used last at the end
}

// take gives a connection that waits, or nil. What has waited so long that the
// other side gives it up is closed.
func (p *pool) take(addr string) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[addr]
	for len(list) > 0 && time.Since(list[0].waits) > idleTime {
		_ = list[0].Close() // it has done its work
		list = list[1:]
	}
	p.idle[addr] = list
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	p.idle[addr] = list[:len(list)-1]
	return c
}

// put keeps a connection for the next call, or closes it.
func (p *pool) put(addr string, c *Conn) {
	p.mu.Lock()
	full := len(p.idle[addr]) >= maxIdle
	if !full {
		c.waits = time.Now()
		p.idle[addr] = append(p.idle[addr], c)
	}
	p.mu.Unlock()
	if full {
		_ = c.Close() // it has done its work
	}
}

// Call has the node whose port has the address addr answer a call. The handler
// may run although there is an error, unless [CallError].Undone is set, and it
// may run twice. An error is a *CallError.
func (l *Link) Call(ctx context.Context, addr, verb string, body []byte) ([]byte, error) {
	failed := func(undone bool, err error) ([]byte, error) {
		return nil, &CallError{Addr: addr, Verb: verb, Undone: undone, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, maxCallTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	q := request{verb: verb, left: uint32(min(time.Until(deadline).Milliseconds(), math.MaxUint32)), body: body}
	payload, err := q.encode()
	if err != nil {
		return failed(true, err)
	}
	// A connection that waited may be dead, which shows when it is used. The
	// last one is always fresh.
	sent := false
	for c := l.pool.take(addr); c != nil && ctx.Err() == nil; c = l.pool.take(addr) {
		sent = true
		if o := l.exchange(ctx, addr, c, payload); o.err == nil {
			return l.judge(c, addr, verb, o)
		}
	}
	c, err := l.dial(ctx, addr, protocolCall)
	if err != nil {
		return failed(!sent, err)
	}
	o := l.exchange(ctx, addr, c, payload)
	if o.err != nil {
		return failed(false, o.err)
	}
	return l.judge(c, addr, verb, o)
}

// judge gives the connection back and makes of an answer what Call returns.
func (l *Link) judge(c *Conn, addr, verb string, o outcome) ([]byte, error) {
	l.pool.put(addr, c)
	if o.status == statusDone {
		return o.rest, nil
	}
	return nil, &CallError{Addr: addr, Verb: verb, Undone: o.status == statusRefused, Err: &HandlerError{string(o.rest)}}
}

// outcome is what came of a call.
type outcome struct {
	status byte
	rest   []byte
	err    error
}

// exchange sends a call and waits for its answer. On an error the connection is
// closed, unless it is that of ctx: then the answer may come late, and the
// connection waits for it, and then for the next call.
func (l *Link) exchange(ctx context.Context, addr string, c *Conn, payload []byte) outcome {
	done := make(chan outcome)
	go func() {
		o := c.exchange(ctx, payload)
		select {
		case done <- o:
		case <-ctx.Done():
			if o.err == nil {
				l.pool.put(addr, c)
			}
		}
	}()
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
}

// exchange sends a call and reads its answer, for which it has lateTime when ctx
// ends before. On an error the connection is closed.
func (c *Conn) exchange(ctx context.Context, payload []byte) (o outcome) {
	deadline, _ := ctx.Deadline()
	hurried := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(hurried)
		_ = c.SetDeadline(time.Now().Add(lateTime)) // who is not heard of until then is not waited for
	})
	o.err = c.SetDeadline(deadline)
	if o.err == nil {
		o.err = writeFrame(c, payload)
	}
	var answer []byte
	if o.err == nil {
		answer, o.err = readFrame(c)
	}
	if o.err == nil {
		o.status, o.rest, o.err = decodeAnswer(answer)
	}
	if !stop() {
		<-hurried // the next call has a deadline of its own
	}
	if o.err != nil {
		_ = c.Close() // what went wrong before says more
	}
	return o
}

// answerCalls answers the calls of one connection, one after the other.
func (l *Link) answerCalls(c *Conn) {
	defer c.Close()
	for {
		if c.SetReadDeadline(time.Now().Add(idleTime+frameTime)) != nil {
			return
		}
		payload, err := readFrame(c)
		if err == nil {
			err = l.answerCall(c, payload)
		}
		if errors.Is(err, errFrame) {
			l.refusals.add(hostOf(c), fmt.Errorf("node %s: %w", c.peer.ID, err), time.Now())
		}
		if err != nil {
			return // else it waited long enough, or the other side is gone
		}
	}
}

// answerCall answers one call.
func (l *Link) answerCall(c *Conn, payload []byte) error {
	q, err := decodeRequest(payload)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, min(time.Duration(q.left)*time.Millisecond, maxCallTime))
	defer cancel()
	answer := l.handle(ctx, c.peer, &q)
	if err := c.SetWriteDeadline(time.Now().Add(frameTime)); err != nil {
		return err
	}
	return writeFrame(c, answer)
}

// handle runs the handler of a call.
func (l *Link) handle(ctx context.Context, from Peer, q *request) []byte {
	if err := l.o.AdmitCaller(from); err != nil {
		return encodeAnswer(statusRefused, []byte(err.Error()))
	}
	h := l.o.Handlers[q.verb]
	if h == nil {
		return encodeAnswer(statusRefused, fmt.Appendf(nil, "this version of weir knows no call %q", q.verb))
	}
	body, err := l.shielded(func() ([]byte, error) { return h(ctx, from, q.body) })
	switch {
	case err != nil:
		return encodeAnswer(statusFailed, []byte(err.Error()))
	case len(body) > MaxBody:
		return encodeAnswer(statusFailed, fmt.Appendf(nil, "the answer has %d bytes, more than %d", len(body), MaxBody))
	}
	return encodeAnswer(statusDone, body)
}

// shielded runs a handler. One that panics fails: what serves clients must not
// end with it.
func (l *Link) shielded(h func() ([]byte, error)) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			l.o.Log(fmt.Sprintf("%v\n%s", err, debug.Stack()))
		}
	}()
	return h()
}
