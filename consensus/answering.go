package consensus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Answer is what another node's Options.Call comes to on this one; from is that
// node, which has proved to be it. An error means that body is no message of a
// node.
func (c *Consensus) Answer(ctx context.Context, from NodeID, body []byte) ([]byte, error) {
	m, err := decodeMessage(body)
	if err != nil {
		return nil, err
	}
	var r reply
	var older *LevelError
	switch err = c.allows(from, &m); {
	case err != nil:
	case m.Kind == askHello:
		r.Hello = c.greet(m.Hello)
	case m.Kind == askPromise:
		err = c.promise(m)
	default:
		r, err = c.try(ctx, m)
	}
	switch {
	case err == nil:
	case errors.Is(err, errNoLeader):
		r = reply{Code: replyNoLeader, Text: err.Error()}
	case errors.As(err, &older):
		r = reply{Code: replyOlder, Text: err.Error(), Older: older}
	case errors.Is(err, errMaybe):
		r = reply{Code: replyMaybe, Text: err.Error()}
	default:
		r = reply{Code: replyRefused, Text: err.Error()}
	}
	return json.Marshal(r)
}

// allows tells whether a node may ask for something. Nodes of the table may,
// for others as well: they pass on what those ask. A node that is not in the
// table, though it has the secret, may say who it is, and ask to be let in.
func (c *Consensus) allows(from NodeID, m *message) error {
	n, known := c.State().Node(from)
	switch {
	case m.Kind == askHello:
		return nil
	case known && n.Removed:
		return errRemoved
	case (m.Kind == askPromise || m.Kind == askReadmit && m.Hops == 0) && m.Node != from:
		return fmt.Errorf("%w: %s asks in the name of %s", errRefused, from, m.Node)
	case known || m.Kind == askPromise || c.joins(from, m):
		return nil
	}
	return fmt.Errorf("%w of whom node %s may ask anything: it has not joined", errNoLeader, from)
}

// joins reports whether m asks to let in the node that it comes from.
func (c *Consensus) joins(from NodeID, m *message) bool {
	if m.Kind != askPropose || m.Hops > 0 {
		return false
	}
	cmd, err := Decode(m.Entry)
	j, ok := cmd.Change.(*JoinNode)
	return err == nil && ok && j.ID == from
}
