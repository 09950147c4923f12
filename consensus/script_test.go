package consensus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/golden"
)

// script runs the lines of a file in testdata:
//
//	at 10s          the leader's clock
//	as NAME         who asks
//	request N       the id of the next command
//	KIND {...}      a command: the name of its type, and its fields
//	show            what the state has
//
// Lines that begin with = are what is expected of the line above them.
type script struct {
	state   *State
	at      time.Time
	actor   string
	request byte
	log     []entry
}

// entry is a command as it stands in the log.
type entry struct {
	index uint64
	at    time.Time
	bytes []byte
}

func TestScripts(t *testing.T) {
	t.Parallel()
	golden.Scripts(t, "testdata/*.txt", func(t *testing.T, text string) string {
		s := &script{state: &State{}, at: time.UnixMilli(0)}
		got := s.play(t, text)
		s.laws(t)
		return got
	})
}

func (s *script) play(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "=") {
			continue
		}
		out.WriteString(line)
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case verb == "" || verb == "#":
		case verb == "at":
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			s.at = time.UnixMilli(0).Add(d)
		case verb == "as":
			s.actor = rest
		case verb == "request":
			fmt.Sscan(rest, &s.request)
		case verb == "show":
			show(&out, s.state)
		default:
			out.WriteString(s.command(t, verb, rest))
		}
	}
	return out.String()
}

func (s *script) command(t *testing.T, name, fields string) string {
	t.Helper()
	c := Command{Request: RequestID{s.request}, Actor: s.actor, Change: changeNamed(t, name)}
	s.request = 0
	if err := strictly([]byte(fields), c.Change); err != nil {
		t.Fatalf("%s %s: %v", name, fields, err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatalf("%s %s: %v", name, fields, err)
	}
	e := entry{s.state.Index() + 1, s.at, b}
	s.log = append(s.log, e)
	before := snapshot(t, s.state)
	next, result := apply(t, s.state, e)
	if !bytes.Equal(before, snapshot(t, s.state)) {
		t.Errorf("%s %s: it changed the state it was applied to", name, fields)
	}
	s.state = next
	if result.Code != Accepted {
		return fmt.Sprintf("= %d %s: %s\n", result.Index, result.Code, result.Reason)
	}
	return fmt.Sprintf("= %d\n", result.Index)
}

func changeNamed(t *testing.T, name string) Change {
	t.Helper()
	for _, k := range kinds() {
		if c := k.fresh(); reflect.TypeOf(c).Elem().Name() == name {
			return c
		}
	}
	t.Fatalf("no change %q", name)
	return nil
}

// show writes a state as text, a line for each thing.
func show(out *strings.Builder, s *State) {
	line := func(what string, key, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(out, "= %s %v %s\n", what, key, text)
	}
	if s.Cluster().ID != "" {
		line("cluster", s.Cluster().Name, s.Cluster())
	}
	s.Upstreams(func(name string, e Edits) {
		if e.Seeded {
			line(name, "seeded", e.Modified)
		}
		e.Added.Each(func(id ServerID, a Addition) { line(name+" added", id, a) })
		e.Changed.Each(func(id ServerID, c Changed) { line(name+" changed", id, c) })
		e.Removed.Each(func(id ServerID, r Removal) { line(name+" removed", id, r) })
		e.Orders.Each(func(id ServerID, o Order) { line(name+" order", id, o) })
	})
	s.Answers(func(a Answer) { line("answer", a.Upstream, a) })
	for kind := range ringCount {
		for _, k := range s.Ring(kind) {
			fmt.Fprintf(out, "= ring %d key %d %s since %s\n", kind, k.ID, k.State, time.Duration(k.Since)*time.Millisecond)
		}
	}
	s.Nodes(func(id NodeID, n Node) {
		fmt.Fprintf(out, "= node %s %s %s boot %d removed %t\n", id[:4], n.Name, n.Addr, n.Boot, n.Removed)
	})
}

func apply(t *testing.T, s *State, e entry) (*State, Result) {
	t.Helper()
	c, err := Decode(e.bytes)
	if err != nil {
		t.Fatal(err)
	}
	return s.Apply(c, e.index, e.at)
}

func snapshot(t *testing.T, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// laws: the same log gives equal bytes; a snapshot that is read back is the
// state it was taken of; and the log may go on from there as if from the
// beginning.
func (s *script) laws(t *testing.T) {
	t.Helper()
	want := snapshot(t, s.state)
	for from := range len(s.log) + 1 {
		state := &State{}
		for i, e := range s.log {
			if i == from {
				read, err := ReadSnapshot(bytes.NewReader(snapshot(t, state)))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(tidy(read), tidy(state)) {
					t.Fatalf("the snapshot at %d gives\n%+v of\n%+v", i, read, state)
				}
				state = read
			}
			state, _ = apply(t, state, e)
		}
		if !bytes.Equal(snapshot(t, state), want) {
			t.Fatalf("the log with a snapshot at %d ends otherwise", from)
		}
	}
}

// tidy makes one form of what may have several.
func tidy(s *State) State {
	c := *s
	for i := range c.rings {
		c.rings[i] = slices.Clip(append(Ring(nil), c.rings[i]...))
	}
	var list []*remembered
	for _, r := range c.results.kept.All() {
		list = append(list, r)
	}
	c.results, _ = resultsOf(list)
	return c
}
