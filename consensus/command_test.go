package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// samples is a change of each kind that says something.
func samples() []Change {
	weight, why := 3, "new disk"
	at := Target{Upstream: "shop", ID: 1<<64 - 1, Written: true, IfModified: 7}
	return []Change{
		&Batch{&DropAnswer{Question{Upstream: "shop", Host: "a"}}, &RaiseEpoch{To: 1}},
		&Form{Name: "shop", ID: "00"}, &RaiseEpoch{To: 4},
		&AddServer{Target: at, Server: Server{Name: "a", Weight: 1}}, &EditServer{Target: at, Edit: Edit{Weight: &weight}},
		&RemoveServer{at}, &RestoreServer{at}, &GiveOrder{Target: at, Kind: OrderDrain, Why: why},
		&PutAnswer{Question: Question{Upstream: "shop", Host: "a"}, Records: []Record{{Target: "t"}}}, &DropAnswer{Question{Host: "b"}},
		&CreateKey{ID: 1, Secret: Secret{1}}, &ActivateKey{ID: 2}, &DropKey{ID: 3}, &JoinNode{Name: "lb1"}, &RemoveNode{ID: "x"}, &MarkSeeded{Upstream: "shop"},
	}
}

func TestEveryKindIsReadAsWritten(t *testing.T) {
	t.Parallel()
	seen := map[uint16]bool{}
	for _, change := range samples() {
		c := Command{Request: RequestID{1, 2}, Actor: "alice", Skippable: true, Change: change}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%T: %+v, %v", change, got, err)
		}
		k, _ := kinds().of(change)
		seen[k.number] = true
	}
	if len(seen) != len(kinds()) {
		t.Errorf("%d of %d kinds have a sample", len(seen), len(kinds()))
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	c := Command{Actor: "alice", Change: &RaiseEpoch{To: 4}}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := Decode(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
	for n := range b {
		if _, err := Decode(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestCommandsOfOtherVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what    string
		head    head
		payload string
		want    error
	}{
		{"a newer kind", head{kind: 999, level: Level + 1}, `{}`, ErrNewer},
		{"a newer kind that may be skipped", head{kind: 999, level: Level + 1, flags: flagSkippable}, `{}`, nil},
		{"a known kind with more in it", head{kind: kindRaiseEpoch, level: Level + 1}, `{"to":1,"more":2}`, ErrNewer},
		{"the same, to be skipped", head{kind: kindRaiseEpoch, level: Level + 1, flags: flagSkippable}, `{"to":1,"more":2}`, nil},
		{"an unknown kind of our level", head{kind: 999, level: Level, flags: flagSkippable}, `{}`, ErrDamaged},
		{"an unknown field", head{kind: kindRaiseEpoch, level: Level}, `{"to":1,"more":2}`, ErrDamaged},
		{"two values", head{kind: kindRaiseEpoch, level: Level}, `{"to":1}{}`, ErrDamaged},
		{"a batch in a batch", head{kind: kindBatch, level: Level}, `[{"kind":1,"change":[]}]`, ErrDamaged},
		{"no UTF-8", head{kind: kindRaiseEpoch, level: Level, actor: "\xff"}, `{"to":1}`, ErrDamaged},
	} {
		b, err := seal(c.head, []byte(c.payload))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
		if c.want != nil {
			continue
		}
		s, r := (&State{}).Apply(got, 1, time.UnixMilli(5))
		if s.Index() != 1 || r.Code != Accepted || s.Cluster().Epoch != 0 {
			t.Errorf("%s: %+v at %d", c.what, r, s.Index())
		}
	}
}

func TestCommandsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []Command{
		{},
		{Actor: strings.Repeat("x", maxActor+1), Change: &RaiseEpoch{}},
		{Actor: "\xff", Change: &RaiseEpoch{}},
		{Change: &GiveOrder{Why: strings.Repeat("x", MaxCommand)}},
		{Change: &Batch{&Batch{}}},
	} {
		if b, err := c.Encode(); err == nil {
			t.Errorf("%T is written in %d bytes", c.Change, len(b))
		}
	}
}

// FuzzDecode: whatever is read can be written and read again, and applied
// without a panic, with a state that survives its snapshot.
func FuzzDecode(f *testing.F) {
	for _, change := range samples() {
		b, err := (&Command{Request: RequestID{1}, Actor: "a", Change: change}).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(bytes.Clone(body), 0, 0, 0, 0)
		sum := checksum(body)
		copy(b[len(body):], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
		c, err := Decode(b)
		if err != nil || c.Change == nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			return // JSON may take more room than it came in
		}
		if d, err := Decode(again); err != nil || fmt.Sprintf("%#v", d) == "" {
			t.Fatalf("%+v is not read again: %v", c, err)
		}
		s, _ := (&State{}).Apply(c, 1, time.UnixMilli(5))
		text := snapshot(t, s)
		read, err := ReadSnapshot(bytes.NewReader(text))
		if err != nil || !bytes.Equal(snapshot(t, read), text) {
			t.Fatalf("%+v: its snapshot is not read: %v", c, err)
		}
	})
}
