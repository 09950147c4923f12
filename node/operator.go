package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/node/control"
)

// operator does what the control socket is asked for: it is the hand of who
// operates the node.
type operator struct {
	cluster  *cluster
	balancer *lb.Balancer
	version  string
}

var _ control.Node = (*operator)(nil)

// agreement is what changes are proposed to; nil as long as it is not open.
func (o *operator) agreement() *consensus.Consensus { return o.cluster.consensus.Load() }

// CatchUp implements control.Node.
func (o *operator) CatchUp(ctx context.Context) error {
	_, err := o.agreement().Read(ctx)
	return o.failure(ctx, err, "this node may not know the newest state")
}

// Outcome implements control.Node.
func (o *operator) Outcome(request string) (control.Outcome, bool) {
	var id consensus.RequestID
	if id.UnmarshalText([]byte(request)) != nil {
		return control.Outcome{}, false
	}
	r, known := o.cluster.state().Result(id)
	return control.Outcome{Index: r.Index, Request: request}, known && r.Code == consensus.Accepted
}

// AddServer implements control.Node.
func (o *operator) AddServer(ctx context.Context, w control.Write, name string, s control.NewServer) (control.Outcome, error) {
	return o.edit(ctx, w, name, func(e *edited) (consensus.Change, error) {
		return e.add(append([]string{s.Server}, s.Words()...))
	})
}

// EditServer implements control.Node.
func (o *operator) EditServer(ctx context.Context, w control.Write, name, server string, c control.ServerEdit) (control.Outcome, error) {
	return o.edit(ctx, w, name, func(e *edited) (consensus.Change, error) {
		var both consensus.Batch
		if words := c.Words(); len(words) > 0 {
			change, err := e.set(server, words)
			if err != nil {
				return nil, err
			}
			both = append(both, change)
		}
		if c.Order != nil {
			kind := consensus.OrderKind(*c.Order)
			if kind == "none" {
				kind = consensus.OrderNone
			}
			change, err := e.order(server, kind, c.Why)
			if err != nil {
				return nil, err
			}
			both = slices.Insert(both, 0, change) // before an edit that gives the server another id
		}
		if len(both) == 1 {
			return both[0], nil
		}
		return &both, nil
	})
}

// RemoveServer implements control.Node.
func (o *operator) RemoveServer(ctx context.Context, w control.Write, name, server string) (control.Outcome, error) {
	return o.edit(ctx, w, name, func(e *edited) (consensus.Change, error) { return e.remove(server) })
}

// edit proposes a change of an upstream. What has been done already under the
// name of the request is answered as it was then, even if it makes no sense any
// more.
func (o *operator) edit(ctx context.Context, w control.Write, name string, change func(*edited) (consensus.Change, error)) (control.Outcome, error) {
	conf, err := o.find(name)
	if err != nil {
		return control.Outcome{}, err
	}
	e, err := edit(conf, o.cluster.state())
	if err != nil {
		return control.Outcome{}, &control.Failure{Code: control.UpstreamStatic, Text: err.Error()}
	}
	c, err := change(e)
	if err == nil {
		return o.propose(ctx, w, c)
	}
	if outcome, done := o.repeated(ctx, w); done {
		return outcome, nil
	}
	return control.Outcome{}, editFailure(e, err)
}

// repeated tells whether a write that makes no sense does so because it has been
// done, here or on another node.
func (o *operator) repeated(ctx context.Context, w control.Write) (control.Outcome, bool) {
	outcome, done := o.Outcome(w.Request)
	if !done && o.CatchUp(ctx) == nil {
		outcome, done = o.Outcome(w.Request)
	}
	return outcome, done
}

// find returns an upstream of the configuration in force.
func (o *operator) find(name string) (*config.Upstream, error) {
	var known []string
	for _, u := range o.balancer.UpstreamConfigs() {
		if u.Name == name {
			return u, nil
		}
		known = append(known, u.Name)
	}
	return nil, control.MissingUpstream(name, known)
}

// editFailure words why an operator's words are no change.
func editFailure(e *edited, err error) *control.Failure {
	f := &control.Failure{Code: control.BadParameter, Text: err.Error()}
	var missing *noServerError
	var exists *serverExistsError
	switch {
	case errors.As(err, &exists):
		f.Code = control.Conflict
	case errors.As(err, &missing):
		f.Code, f.Known = control.ServerNotFound, e.names()
	}
	return f
}

// propose has a change agreed on.
func (o *operator) propose(ctx context.Context, w control.Write, c consensus.Change) (control.Outcome, error) {
	command := consensus.Command{Actor: w.Actor, Change: c}
	if err := command.Request.UnmarshalText([]byte(w.Request)); err != nil {
		return control.Outcome{}, err
	}
	if o.cluster.ground.conf != nil {
		command.Actor += " on " + o.cluster.ground.conf.Node
	}
	var r consensus.Result
	var err error
	if w.Patience < 0 {
		r, err = o.agreement().Propose(ctx, command)
	} else {
		r, err = o.agreement().ProposeWithin(ctx, command, w.Patience)
	}
	if err != nil {
		return control.Outcome{}, o.failure(ctx, err, unchanged)
	}
	return control.Outcome{Index: r.Index, Note: o.lag()}, refusal(r)
}

// lag tells that this node does not obey what was agreed on yet, and why.
func (o *operator) lag() string {
	if why := o.agreement().Status().Stopped; why != "" {
		return "this node does not obey it yet, for it has no part in agreement: " + why
	}
	return ""
}

// refusal makes an error of a result that is one.
func refusal(r consensus.Result) error {
	switch r.Code {
	case consensus.Accepted:
		return nil
	case consensus.Invalid:
		return &control.Failure{Code: control.BadParameter, Text: r.Reason}
	case consensus.Missing:
		return &control.Failure{Code: control.ServerNotFound, Text: r.Reason}
	}
	return &control.Failure{Code: control.Conflict, Text: r.Reason}
}

// unchanged is what it means for a change that there is no quorum.
const unchanged = "the change was not accepted"

// failure makes one of an error of agreement. Where there is no quorum it says
// who is missing, and what that means.
func (o *operator) failure(ctx context.Context, err error, meaning string) error {
	var none *consensus.NoQuorumError
	var refused *consensus.RefusedError
	var unknown *consensus.OutcomeUnknownError
	var older *consensus.LevelError
	switch {
	case errors.As(err, &none):
		return o.noQuorum(ctx, none, meaning)
	case errors.As(err, &refused):
		return &control.Failure{Code: control.NodeRefused, Text: o.refused(refused) + "; " + meaning}
	case errors.As(err, &unknown):
		return &control.Failure{Code: control.OutcomeUnknown, Text: unknown.Error(), Request: unknown.Request.String()}
	case errors.As(err, &older):
		return &control.Failure{Code: control.NodesOlder, Text: older.Error()}
	}
	return err
}

// noQuorum tells who is missing, or why this node has no part in agreement.
func (o *operator) noQuorum(ctx context.Context, none *consensus.NoQuorumError, meaning string) *control.Failure {
	missing := o.missing(ctx, none.Missing)
	f := &control.Failure{Code: control.NoQuorum, Missing: o.nodeNames(missing)}
	what := fmt.Sprintf("no quorum: %v", none.Why)
	switch {
	case none.Interrupted:
		what = fmt.Sprintf("this node has no part in agreement: %v", none.Why)
	case len(missing) > 0:
		what = fmt.Sprintf("no quorum: %d of %d voters cannot be reached (%s)", len(missing), none.Voters, control.JoinNames(f.Missing))
	}
	f.Text = what + "; " + meaning + ", requests go on to be served"
	return f
}

// refused tells why the cluster refuses this node, and what is to be done.
func (o *operator) refused(e *consensus.RefusedError) string {
	g := o.cluster.ground
	switch {
	case g.conf == nil:
		return e.Error()
	case e.Removed():
		return fmt.Sprintf("node %q was removed from the cluster, ask another one; to have it join again, as a new node, stop it, empty its data folder %q and start it", g.conf.Node, g.dir)
	}
	return fmt.Sprintf("node %q has no part in agreement, ask another one: %v", g.conf.Node, e.Why)
}

// callPatience is how long a voter may take to give a sign of life.
const callPatience = 500 * time.Millisecond

// missing returns the voters that cannot be reached: those that gossip has lost,
// and those that do not answer now, which it may not have noticed yet.
func (o *operator) missing(ctx context.Context, lost []consensus.NodeID) []consensus.NodeID {
	status := o.agreement().Status()
	if o.cluster.link == nil || status.Stopped != "" {
		return lost
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	var mu sync.Mutex
	var calls sync.WaitGroup
	out := slices.Clone(lost)
	for _, id := range status.Voters {
		if id == o.cluster.self() || slices.Contains(lost, id) {
			continue
		}
		calls.Go(func() {
			if _, err := o.cluster.callNode(ctx, string(id), verbConfig, nil); err != nil {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, id)
			}
		})
	}
	calls.Wait()
	return out
}

func (o *operator) nodeNames(ids []consensus.NodeID) (list []control.NodeName) {
	for _, id := range ids {
		list = append(list, control.NodeName{ID: string(id), Name: o.cluster.nameOf(string(id))})
	}
	slices.SortFunc(list, func(a, b control.NodeName) int { return cmp.Compare(a.String(), b.String()) })
	return list
}
