package consensus

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// UndoneError says that a call surely was not answered, and will not be.
type UndoneError struct{ Err error }

// Error is that of the cause.
func (e *UndoneError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UndoneError) Unwrap() error { return e.Err }

// NoQuorumError says that nobody leads, so that surely nothing was changed. It
// may be tried again.
type NoQuorumError struct {
	Voters  int      // how many there are
	Missing []NodeID // the voters that gossip does not see
	Why     error    // why this node does not agree, or does not know who leads
	// Interrupted says that it is this node that has no part in agreement at the
	// moment, and that none of the others did it in its place.
	Interrupted bool
}

// Error names who is missing.
func (e *NoQuorumError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("no quorum: %v; the change was not accepted", e.Why)
	}
	var names []string
	for _, id := range e.Missing {
		names = append(names, string(id))
	}
	return fmt.Sprintf("no quorum: %d of %d voters cannot be reached (%s); the change was not accepted", len(e.Missing), e.Voters, strings.Join(names, ", "))
}

// Unwrap returns the reason.
func (e *NoQuorumError) Unwrap() error { return e.Why }

// RefusedError says that the cluster refuses this node, so that surely nothing
// was changed. Another node may be asked; this one has to be mended first.
type RefusedError struct{ Why error }

// Error tells the reason.
func (e *RefusedError) Error() string { return e.Why.Error() }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Why }

// Removed reports whether the reason is that the node was removed.
func (e *RefusedError) Removed() bool { return errors.Is(e.Why, errRemoved) }

// OutcomeUnknownError says that a command may have been agreed on, or may be
// yet. To propose it again with its request id does it at most once; State.Result
// tells what became of it.
type OutcomeUnknownError struct {
	Request RequestID
	Err     error
}

// Error names the request.
func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("outcome of request %s is unknown: %v", e.Request, e.Err)
}

// Unwrap returns the cause.
func (e *OutcomeUnknownError) Unwrap() error { return e.Err }

// NewRequestID returns one that was never used.
func NewRequestID() (r RequestID) {
	_, _ = rand.Read(r[:]) // it ends the process rather than fail
	return r
}

// Propose has a command agreed on, on whichever node, and waits until this node
// has applied it and Options.OnState has returned. A refusal is no error, but in
// the Result. Errors: *NoQuorumError, *RefusedError, *OutcomeUnknownError,
// *LevelError, and that of a command that cannot be encoded. A command without a request id gets one, so that it
// is done once however often the leader changes.
func (c *Consensus) Propose(ctx context.Context, cmd Command) (Result, error) {
	return c.ProposeWithin(ctx, cmd, c.o.Timeouts.Write)
}

// ProposeWithin is Propose, but waits for a leader no longer than patience; 0:
// not at all.
func (c *Consensus) ProposeWithin(ctx context.Context, cmd Command, patience time.Duration) (Result, error) {
	if cmd.Request == (RequestID{}) {
		cmd.Request = NewRequestID()
	}
	entry, err := c.o.kinds.encode(&cmd)
	if err == nil {
		err = c.timely(cmd)
	}
	if err != nil {
		return Result{}, err
	}
	r, err := c.ask(ctx, message{Kind: askPropose, Entry: entry}, patience)
	switch {
	case errors.Is(err, errMaybe):
		return Result{}, &OutcomeUnknownError{cmd.Request, err}
	case err != nil:
		return Result{}, err
	case r.Result == nil:
		return Result{}, &OutcomeUnknownError{cmd.Request, errors.New("the leader's answer says nothing")}
	}
	if e, _ := c.engine(); e == nil {
		return *r.Result, nil // others did it: this node does not follow the log
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Write)
	defer cancel()
	// It is agreed on: that this node lags behind makes no failure of it.
	_ = c.WaitIndex(ctx, r.Result.Index)
	return *r.Result, nil
}

// Read returns a state in which is all that was acknowledged, by any node,
// before Read was called. Its error is a *NoQuorumError, a *RefusedError, or that
// of ctx.
func (c *Consensus) Read(ctx context.Context) (*State, error) {
	r, err := c.ask(ctx, message{Kind: askRead}, c.o.Timeouts.Write)
	if err != nil {
		return nil, err
	}
	if err := c.WaitIndex(ctx, r.Index); err != nil {
		return nil, err
	}
	return c.State(), nil
}

// Between two tries without news of a leader ask waits that long, longer each
// time: who waits must not keep others from electing one.
const (
	retryPause    = 2 * time.Millisecond
	maxRetryPause = 320 * time.Millisecond
)

// ask has the leader, whoever and wherever it is, do what m asks. It tries for
// as long as one may be found, at most for patience while none is, and all in
// all for no longer than a write may take.
func (c *Consensus) ask(ctx context.Context, m message, patience time.Duration) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Write)
	defer cancel()
	began, maybe := time.Now(), error(nil)
	for pause := retryPause; ; pause = min(2*pause, maxRetryPause) {
		news := c.news.wait()
		r, err := c.try(ctx, m)
		var refused *RefusedError
		switch {
		case err == nil:
			return r, nil
		case errors.As(err, &refused):
			return reply{}, refused
		case errors.Is(err, errMaybe):
			maybe = err
		case !errors.Is(err, errNoLeader):
			return r, err
		}
		if ctx.Err() != nil || time.Since(began) >= patience || !c.rest(ctx, news, pause) {
			if maybe != nil && m.Kind == askPropose {
				return reply{}, maybe
			}
			return reply{}, c.noQuorum(err)
		}
	}
}

// rest waits until there may be another leader. It reports whether ctx goes on.
func (c *Consensus) rest(ctx context.Context, news <-chan struct{}, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-c.ctx.Done():
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// try asks the leader once, through another node if it cannot be reached. Its
// errors are errNoLeader if surely nothing was done, errMaybe, and refusals.
func (c *Consensus) try(ctx context.Context, m message) (reply, error) {
	e, why := c.engine()
	if e == nil {
		return c.elsewhere(ctx, m, why)
	}
	id, _ := e.leader()
	switch {
	case id == c.o.ID:
		return c.lead(ctx, e, m)
	case id == "":
		return reply{}, errNoLeader
	case m.Hops >= maxHops:
		return reply{}, fmt.Errorf("%w: nobody passes on what was passed on twice", errNoLeader)
	}
	ctx, cancel := c.whileLeads(ctx, e, id)
	defer cancel()
	_, addr := c.Leader()
	m.Hops++
	r, err := c.call(ctx, addr, m)
	if errors.Is(err, errNoLeader) && m.Hops == 1 && r.Code == replyDone { // it cannot be reached
		if relayed, relayErr := c.relay(ctx, e, id, m); !errors.Is(relayErr, errNoLeader) {
			return relayed, relayErr
		}
	}
	return r, err
}

// elsewhere has one of the other nodes see to what m asks, while this one has no
// part in agreement: its disk may be full, and the cluster has a quorum all the
// same. What is to be read is not in the state of this node, so it is not asked.
func (c *Consensus) elsewhere(ctx context.Context, m message, why error) (r reply, err error) {
	if final(why) {
		return reply{}, fmt.Errorf("%w: %w", errNoLeader, &RefusedError{why})
	}
	err = fmt.Errorf("%w: %w", errNoLeader, why)
	if m.Kind == askRead || m.Hops > 0 || c.o.Stream == nil || c.ctx.Err() != nil {
		return reply{}, err
	}
	m.Hops++
	for id := range c.o.Presence() {
		n, known := c.State().Node(id)
		if !known || id == c.o.ID {
			continue
		}
		if r, callErr := c.call(ctx, n.Addr, m); callErr == nil || !errors.Is(callErr, errNoLeader) {
			return r, callErr
		}
	}
	return reply{}, err
}

// relay has another voter pass m on to a leader that this node cannot reach.
func (c *Consensus) relay(ctx context.Context, e engine, leader NodeID, m message) (r reply, err error) {
	err = errNoLeader
	alive := c.o.Presence()
	for _, s := range e.servers() {
		if _, ok := alive[s.id]; !ok || !s.voter || s.id == leader || s.id == c.o.ID {
			continue
		}
		if r, err = c.call(ctx, s.addr, m); err == nil || !errors.Is(err, errNoLeader) {
			return r, err
		}
	}
	return r, err
}

// whileLeads returns a context that ends when another leads than id: a leader
// that has died may never answer.
func (c *Consensus) whileLeads(ctx context.Context, e engine, id NodeID) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for {
			news := c.news.wait()
			if now, _ := e.leader(); now != id && now != "" {
				cancel()
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, cancel
}

// lead does, as the leader, what m asks.
func (c *Consensus) lead(ctx context.Context, e engine, m message) (r reply, err error) {
	switch m.Kind {
	case askPropose:
		i, ok := e.(*instance)
		if ok {
			err = i.admit(m.Entry)
		}
		if err != nil {
			return r, err
		}
		var result Result
		result, err = e.propose(ctx, m.Entry)
		r.Result = &result
		if ok && err == nil && c.o.Stream != nil {
			i.spread()
		}
	case askRead:
		r.Index, err = e.verify(ctx)
	case askTransfer:
		if m.Node == c.o.ID || m.Node == "" { // else it is done
			err = c.relinquish(e)
		}
	case askReadmit:
		err = c.readmit(e, m.Node)
	default:
		err = fmt.Errorf("no message %q for a leader", m.Kind)
	}
	return r, err
}

// call sends m to the node at addr, and makes errors of its replies.
func (c *Consensus) call(ctx context.Context, addr string, m message) (r reply, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return r, err
	}
	answer, err := c.o.Call(ctx, addr, body)
	var undone *UndoneError
	switch {
	case errors.As(err, &undone):
		return r, fmt.Errorf("%w: %w", errNoLeader, err)
	case err != nil:
		return r, fmt.Errorf("%w: %w", errMaybe, err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("%w: answer of %s: %w", errMaybe, addr, err)
	}
	switch r.Code {
	case replyDone:
		return r, nil
	case replyNoLeader:
		return r, fmt.Errorf("%w: %s: %s", errNoLeader, addr, r.Text)
	case replyOlder:
		return r, cmp.Or(r.Older, &LevelError{})
	case replyRefused:
		return r, errors.New(r.Text)
	}
	return r, fmt.Errorf("%w: %s: %s", errMaybe, addr, r.Text)
}

// noQuorum tells who is missing, or why this node is not let in.
func (c *Consensus) noQuorum(why error) error {
	e := &NoQuorumError{Why: why}
	if engine, reason := c.engine(); engine == nil {
		e.Why, e.Interrupted = reason, true
	}
	s := c.Status()
	if err := c.unwelcomed(s.Part); err != nil {
		return &RefusedError{err}
	}
	e.Voters, e.Missing = len(s.Voters), s.Missing
	return e
}
