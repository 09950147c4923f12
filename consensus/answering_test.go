package consensus

import (
	"context"
	"testing"
	"time"
)

// A node asks in its own name, and before it has joined for nothing but that.
func TestWhoMayAskForWhat(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		c := w.all()[0].up()
		member, other, fresh := w.all()[1].o.ID, w.all()[2].o.ID, NodeID("000000000000000000000000000000ff")
		encoded := func(change Change) []byte {
			entry, err := (&Command{Change: change}).Encode()
			if err != nil {
				t.Fatal(err)
			}
			return entry
		}
		add, join := encoded(addServer(1).Change), encoded(&JoinNode{ID: fresh, Name: "lb9", PublicKey: make([]byte, 32), Addr: "a:1"})
		for _, line := range []struct {
			what    string
			from    NodeID
			m       message
			allowed bool
		}{
			{"anybody says hello", fresh, message{Kind: askHello}, true},
			{"a member proposes", member, message{Kind: askPropose, Entry: add, Hops: 1}, true},
			{"a stranger does not", fresh, message{Kind: askPropose, Entry: add}, false},
			{"but it joins", fresh, message{Kind: askPropose, Entry: join}, true},
			{"as itself", "000000000000000000000000000000fe", message{Kind: askPropose, Entry: join}, false},
			{"and passes on nothing", fresh, message{Kind: askPropose, Entry: join, Hops: 1}, false},
			{"a member passes that on", member, message{Kind: askPropose, Entry: join, Hops: 1}, true},
			{"a member has lost its log", member, message{Kind: askReadmit, Node: member}, true},
			{"another has not", member, message{Kind: askReadmit, Node: other}, false},
			{"unless it is passed on", member, message{Kind: askReadmit, Node: other, Hops: 1}, true},
			{"a stranger has no log", fresh, message{Kind: askReadmit, Node: fresh}, false},
			{"a stranger reads nothing", fresh, message{Kind: askRead}, false},
			{"and moves no leader", fresh, message{Kind: askTransfer}, false},
			{"it may want to form a cluster", fresh, message{Kind: askPromise, Node: fresh}, true},
			{"itself", fresh, message{Kind: askPromise, Node: member}, false},
			{"what cannot be read is nothing", fresh, message{Kind: askPropose, Entry: []byte("?")}, false},
		} {
			if err := c.allows(line.from, &line.m); (err == nil) != line.allowed {
				t.Errorf("%s: %v", line.what, err)
			}
		}
		if _, err := c.Propose(t.Context(), Command{Change: &RemoveNode{other}}); err != nil {
			t.Fatal(err)
		}
		if err := c.allows(other, &message{Kind: askRead}); err == nil {
			t.Error("who was removed is heard")
		}
	})
}

// Messages come from nodes, but that is no reason to trust each byte of them.
func FuzzAnswer(f *testing.F) {
	c, err := Open(Options{ID: "00000000000000000000000000000001"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	for _, text := range []string{`{"kind":"hello"}`, `{"kind":"hello","hello":{"join":{}}}`, `{"kind":"propose","entry":"AA=="}`, `{"kind":"read"}`,
		`{"kind":"transfer","hops":9}`, `{"kind":"readmit","node":"x"}`, `{"kind":"promise","set":["x"]}`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answer, err := c.Answer(ctx, "00000000000000000000000000000002", body)
		if (err == nil) == (answer == nil) {
			t.Errorf("%q, %v", answer, err)
		}
	})
}
