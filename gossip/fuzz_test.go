package gossip

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

// examples are messages of all kinds, by which fuzzing begins.
func examples() map[byte][]byte {
	marks := map[nodeID]mark{writerID(3): {2, 300}}
	d := delta{batch: batch{writerID(3), 2, []entry{{slot{kindReport, 7}, 300, Report{Status: 3, Reason: 1}.entry().value}}}, from: 200, to: 301, full: true}
	return map[byte][]byte{
		0:            d.batch.encode(),
		frameHello:   hello{writerID(3), 2, 9}.encode(frameHello)[frameHead:],
		frameVector:  vectorFrame(frameVector, true, marks)[frameHead:],
		frameWant:    vectorFrame(frameWant, false, marks)[frameHead:],
		frameDelta:   d.encode()[frameHead:],
		framePost:    append([]byte{1, postSessions}, encodeSessions("cart", []Session{{Key: [16]byte{1}, Server: 2, Seen: 3}})...),
		frameAck:     {200, 1},
		frameAck + 1: digest{2, 1 << 60, 300, 7}.encode(),
		frameAck + 2: Meta{Name: "lb1", Link: "10.0.0.1:7947", Boot: 2, Level: 1, Ready: true}.encode(),
	}
}

// FuzzDecoders: no bytes from outside do harm, and what is accepted means the same when it is written anew.
func FuzzDecoders(f *testing.F) {
	for what, body := range examples() {
		f.Add(what, body)
	}
	f.Fuzz(func(t *testing.T, what byte, body []byte) {
		var first, second any
		var err, again error
		switch what {
		case 0:
			var b, c batch
			if b, err = decodeBatch(body); err == nil {
				c, again = decodeBatch(b.encode())
			}
			first, second = b, c
		case frameHello:
			var a, b hello
			if a, err = decodeHello(body); err == nil {
				b, again = decodeHello(a.encode(frameHello)[frameHead:])
			}
			first, second = a, b
		case frameVector:
			var a, b map[nodeID]mark
			var complete bool
			if complete, a, err = decodeVector(body); err == nil {
				_, b, again = decodeVector(vectorFrame(frameVector, complete, a)[frameHead:])
			}
			first, second = a, b
		case frameDelta:
			var a, b delta
			if a, err = decodeDelta(body); err == nil {
				b, again = decodeDelta(a.encode()[frameHead:])
			}
			first, second = a, b
		case framePost:
			var a, b []Session
			var zone string
			if zone, a, err = decodeSessions(body, time.Unix(0, 0)); err == nil {
				_, b, again = decodeSessions(encodeSessions(zone, a), time.Unix(0, 0))
			}
			first, second = a, b
		case frameAck + 1:
			var a, b digest
			if a, err = decodeDigest(body); err == nil {
				b, again = decodeDigest(a.encode())
			}
			first, second = a, b
		case frameAck + 2:
			var a, b Meta
			if a, err = decodeMeta(body); err == nil {
				b, again = decodeMeta(a.encode())
			}
			first, second = a, b
		default:
			if _, got, _, err := readFrame(bytes.NewReader(body), nil); err == nil && len(got) > len(body) {
				t.Error("a frame is longer than what came")
			}
			return
		}
		if err == nil && (again != nil || !reflect.DeepEqual(first, second)) {
			t.Errorf("%v: %+v became %+v", again, first, second)
		}
		if err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("an error of another kind: %v", err)
		}
	})
}

// FuzzFrames: a member that sends anything at all does no harm beyond its own ledger.
func FuzzFrames(f *testing.F) {
	for what, body := range examples() {
		f.Add(what, body)
	}
	n := newNetwork(1)
	h := n.connect(0)
	g, err := Open(Options{ID: idOf(0), Cluster: "shop", Keys: [][]byte{keyOf(1)}, Meta: Meta{Boot: 1}, Stream: h, Transport: h, Log: func(string, string) {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { g.Close() })
	g.roll.put(writerID(3), "10.0.0.3:7946", Meta{Boot: 1})
	f.Fuzz(func(t *testing.T, what byte, body []byte) {
		talk := &talk{g: g, wake: make(chan struct{}, 1), other: hello{id: writerID(3), boot: 1}}
		if what == 0 {
			g.packet(body)
		}
		_ = talk.frame(what, body)
		talk.due()
		if got := wordsOf(g.table, g.self); got != "run 1 up to 0:" {
			t.Errorf("our own ledger: %s", got)
		}
	})
}

// TestExamples: the decoders read what the encoders write, and nothing that is shorter or, where it matters, longer.
func TestExamples(t *testing.T) {
	t.Parallel()
	for what, body := range examples() {
		decode := func(body []byte) (err error) {
			switch what {
			case 0:
				_, err = decodeBatch(body)
			case frameHello:
				_, err = decodeHello(body)
			case frameVector, frameWant:
				_, _, err = decodeVector(body)
			case frameDelta:
				_, err = decodeDelta(body)
			case framePost:
				_, _, err = decodeSessions(body[2:], time.Now())
			case frameAck + 1:
				_, err = decodeDigest(body)
			case frameAck + 2:
				_, err = decodeMeta(body)
			}
			return err
		}
		if err := decode(body); err != nil {
			t.Errorf("%d: %v", what, err)
		}
		if err := decode(body[:len(body)-1]); err == nil && what != frameAck {
			t.Errorf("%d: cut short, it is taken", what)
		}
		longer := append(bytes.Clone(body), 1)
		if err := decode(longer); (err == nil) != (what >= frameAck) {
			t.Errorf("%d: made longer: %v", what, err)
		}
	}
	if len(examples()[frameAck+1]) > 256 {
		t.Error("a digest has no room in an acknowledgement")
	}
}

// TestReport: what cannot be told in the bits there are is told as near as can be.
func TestReport(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_123)
	for _, c := range []struct{ in, want Report }{
		{Report{Key: 1, Status: 2, Reason: 12, Since: now, Latency: time.Millisecond}, Report{Key: 1, Status: 2, Reason: 12, Since: now, Latency: time.Millisecond}},
		{Report{Since: now, Latency: 3 * time.Hour}, Report{Since: now, Latency: (1<<32 - 1) * time.Microsecond}},
		{Report{Since: now, Latency: -time.Hour}, Report{Since: now}},
		{Report{Key: 2, Gone: true, Status: 3, Since: now}, Report{Key: 2, Gone: true}},
	} {
		got, err := batch{entries: []entry{c.in.entry()}}.records()[0].report()
		c.want.Node = nodeID{}.String()
		if err != nil || got != c.want {
			t.Errorf("%+v: %+v %v", c.in, got, err)
		}
	}
	if _, err := (Record{Value: []byte{1}}).report(); !errors.Is(err, errMalformed) {
		t.Error(err)
	}
}

// TestSessionClock: a clock that is ahead does not make a session unchangeable.
func TestSessionClock(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for _, c := range []struct{ seen, want time.Duration }{{0, 0}, {-time.Hour, -time.Hour}, {4 * time.Second, 4 * time.Second}, {time.Hour, 5 * time.Second}} {
		_, list, err := decodeSessions(encodeSessions("z", []Session{{Seen: now.Add(c.seen).UnixNano()}}), now)
		if err != nil || len(list) != 1 || list[0].Seen != now.Add(c.want).UnixNano() {
			t.Errorf("%s: %v %v", c.seen, list, err)
		}
	}
}
