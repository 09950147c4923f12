package gossip

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wordsOf writes what a table holds of a writer: the run, how far it goes, and the records by key.
func wordsOf(t *table, writer nodeID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.ledgers[writer]
	if l == nil {
		return "nothing"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "run %d up to %d:", l.boot, l.whole)
	for _, s := range slices.SortedFunc(maps.Keys(l.entries), func(a, b slot) int { return int(a.key) - int(b.key) }) {
		fmt.Fprintf(&b, " %d=%s@%d", s.key, l.entries[s].value, l.entries[s].seq)
	}
	return b.String()
}

func writerID(i byte) nodeID { return nodeID{15: i} }

// history is what a writer said in some runs, one batch each word.
func history(rng *rand.Rand, words int) (all []batch) {
	for boot := range uint64(2) {
		for seq := range words {
			e := entry{slot: slot{KindOwn, rng.Uint64N(6)}, seq: uint64(seq + 1), value: fmt.Appendf(nil, "%c", 'a'+rng.IntN(26))}
			all = append(all, batch{writerID(2), boot + 1, []entry{e}})
		}
	}
	return all
}

// TestMergeLaws: whatever the order in which words come, how often, and in which pieces, the table is the same.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		all := history(rng, 40)
		straight := newTable(writerID(1), 1)
		for _, b := range all {
			straight.merge(b)
		}
		mixed := newTable(writerID(1), 1)
		again := append(slices.Clone(all), all[:rng.IntN(len(all))]...)
		rng.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for len(again) > 0 {
			some := again[:1+rng.IntN(len(again))]
			again = again[len(some):]
			for _, b := range joined(some) {
				mixed.merge(batch{b.writer, b.boot, slices.Clone(b.entries)})
			}
		}
		if a, b := wordsOf(straight, writerID(2)), wordsOf(mixed, writerID(2)); a != b {
			t.Fatalf("seed %d:\n%s\n%s", seed, a, b)
		}
	}
}

// TestDeltas: a table that asks for what it lacks, whatever it has, ends up with all.
func TestDeltas(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 8))
		from, to := newTable(writerID(1), 1), newTable(writerID(3), 1)
		for _, b := range history(rng, 60) {
			from.merge(b)
			if rng.IntN(3) > 0 {
				to.merge(b)
			}
		}
		mark := to.vector(map[nodeID]uint64{writerID(2): 0})[writerID(2)]
		d, some := from.since(writerID(2), mark)
		if some {
			for _, f := range deltaFrames(d) {
				part, err := decodeDelta(f[frameHead:])
				if err != nil {
					t.Fatal(err)
				}
				to.apply(part)
			}
		}
		if a, b := wordsOf(from, writerID(2)), wordsOf(to, writerID(2)); a != b {
			t.Fatalf("seed %d: after %v\n%s\n%s", seed, mark, a, b)
		}
		if _, more := from.since(writerID(2), to.vector(map[nodeID]uint64{writerID(2): 0})[writerID(2)]); more {
			t.Fatalf("seed %d: there is always more", seed)
		}
	}
}

// TestTable tells what becomes of single words.
func TestTable(t *testing.T) {
	t.Parallel()
	own := func(seq uint64, key uint64, value string) entry {
		return entry{slot: slot{KindOwn, key}, seq: seq, value: []byte(value)}
	}
	for _, c := range []struct {
		name string
		do   func(*table)
		want string
	}{
		{"a word", func(t *table) { t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a")}}) }, "run 3 up to 1: 5=a@1"},
		{"a newer word in front of an older", func(t *table) {
			t.merge(batch{writerID(2), 3, []entry{own(2, 5, "b"), own(1, 5, "a")}})
		}, "run 3 up to 2: 5=b@2"},
		{"a gap", func(t *table) { t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a"), own(3, 5, "c")}}) }, "run 3 up to 1: 5=c@3"},
		{"a gap that is filled", func(t *table) {
			t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a"), own(3, 5, "c")}})
			t.merge(batch{writerID(2), 3, []entry{own(2, 6, "b")}})
		}, "run 3 up to 3: 5=c@3 6=b@2"},
		{"an earlier run", func(t *table) {
			t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a")}})
			t.merge(batch{writerID(2), 2, []entry{own(9, 5, "z")}})
		}, "run 3 up to 1: 5=a@1"},
		{"a later run", func(t *table) {
			t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a")}})
			t.merge(batch{writerID(2), 4, []entry{own(1, 6, "n")}})
		}, "run 4 up to 1: 6=n@1"},
		{"a full delta takes back what it does not list", func(t *table) {
			t.merge(batch{writerID(2), 3, []entry{own(1, 5, "a"), own(2, 6, "b")}})
			t.apply(delta{batch: batch{writerID(2), 3, []entry{own(2, 6, "b"), own(9, 7, "c")}}, to: 9, full: true})
		}, "run 3 up to 9: 5=@9 6=b@2 7=c@9"},
		{"a delta after a gap does not hide it", func(t *table) {
			t.apply(delta{batch: batch{writerID(2), 3, []entry{own(9, 7, "c")}}, from: 5, to: 9})
		}, "run 3 up to 0: 7=c@9"},
		{"own words from others", func(t *table) { t.merge(batch{writerID(1), 9, []entry{own(1, 5, "a")}}) }, "nothing"},
	} {
		table := newTable(writerID(1), 1)
		c.do(table)
		if got := wordsOf(table, writerID(2)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := wordsOf(table, writerID(1)); got != "run 1 up to 0:" {
			t.Errorf("%s: of itself: %s", c.name, got)
		}
	}
}

// TestEmptyWords: what says nothing any more is dropped after a while, and still taken back where it was missed.
func TestEmptyWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writer, late := newTable(writerID(2), 1), newTable(writerID(3), 1)
		words := []entry{{slot: slot{KindOwn, 1}, value: []byte("a")}, {slot: slot{KindOwn, 2}, value: []byte("b")}}
		for _, e := range words {
			b, news, _ := writer.say(e)
			if !news {
				t.Fatal("no news")
			}
			late.merge(b)
		}
		if _, news, _ := writer.say(words[0]); news {
			t.Error("the same word again is news")
		}
		if _, news, _ := writer.say(entry{slot: slot{KindOwn, 9}}); news {
			t.Error("nothing about something of which nothing was said is news")
		}
		writer.say(entry{slot: slot{KindOwn, 1}})
		writer.sweep(time.Now().Add(emptyFor / 2))
		if got := wordsOf(writer, writerID(2)); got != "run 1 up to 3: 1=@3 2=b@2" {
			t.Error(got)
		}
		time.Sleep(2 * emptyFor)
		writer.sweep(time.Now())
		if got := wordsOf(writer, writerID(2)); got != "run 1 up to 3: 2=b@2" {
			t.Error(got)
		}
		d, _ := writer.since(writerID(2), mark{1, 2})
		out := late.apply(d)
		if len(out.fresh.entries) != 1 || len(out.fresh.entries[0].value) != 0 || wordsOf(late, writerID(2)) != "run 1 up to 3: 1=@3 2=b@2" {
			t.Errorf("%+v: %s", out, wordsOf(late, writerID(2)))
		}
		out = writer.merge(batch{writerID(2), 1, nil})
		if !out.earlier {
			t.Error("a node's own ledger is for itself to write")
		}
	})
}

// TestLedgerLimits: a writer cannot fill the memory of others.
func TestLedgerLimits(t *testing.T) {
	t.Parallel()
	table := newTable(writerID(1), 1)
	var entries []entry
	for i := range uint64(entriesLimit + 10) {
		entries = append(entries, entry{slot: slot{KindOwn, i}, seq: 2*i + 2, value: []byte{1}})
	}
	out := table.merge(batch{writerID(2), 1, entries})
	l := table.ledgers[writerID(2)]
	own := newTable(writerID(1), 1)
	for i := range uint64(entriesLimit) {
		own.say(entry{slot: slot{KindOwn, i}, value: []byte{1}})
	}
	if _, news, full := own.say(entry{slot: slot{KindOwn, entriesLimit}, value: []byte{1}}); news || !full || own.said() != entriesLimit {
		t.Error("one can say more than others keep")
	}
	if out.full != 10 || len(out.fresh.entries) != entriesLimit || len(l.ahead) != aheadLimit || l.whole != 0 {
		t.Errorf("full %d, fresh %d, ahead %d, whole %d", out.full, len(out.fresh.entries), len(l.ahead), l.whole)
	}
}

// TestNeighbours: being neighbours is mutual, everyone has some, and news gets everywhere in few steps.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 16, 17, 50, 100} {
		var all []nodeID
		for i := range size {
			all = append(all, writerID(byte(i)))
		}
		of := map[nodeID][]nodeID{}
		for _, id := range all {
			others := slices.DeleteFunc(slices.Clone(all), func(o nodeID) bool { return o == id })
			of[id] = neighbours(id, others)
			if n := len(of[id]); size <= meshLimit && n != size-1 || size > meshLimit && (n < 2 || n > 4) {
				t.Errorf("of %d nodes, one has %d neighbours", size, n)
			}
		}
		reached, steps := map[nodeID]bool{all[0]: true}, 0
		for ; len(reached) < size && steps < 10; steps++ {
			for id := range maps.Clone(reached) {
				for _, other := range of[id] {
					reached[other] = true
					if !slices.Contains(of[other], id) {
						t.Errorf("of %d nodes, %s is no neighbour of its neighbour %s", size, id, other)
					}
				}
			}
		}
		if len(reached) < size || steps > 6 {
			t.Errorf("of %d nodes, %d are reached in %d steps", size, len(reached), steps)
		}
	}
}

// TestRumors: packets are filled up to their limit and not beyond, and what has been told often enough is dropped.
func TestRumors(t *testing.T) {
	t.Parallel()
	q := &rumors{}
	q.setNodes(5)
	now := time.Now()
	for i := range uint64(burst) {
		value := bytes.Repeat([]byte{byte(i)}, 100)
		if !q.add(batch{writerID(byte(i % 3)), 1, []entry{{slot{KindOwn, i}, i + 1, value}}}, now, i%2 == 0) {
			t.Fatalf("record %d is refused", i)
		}
	}
	if q.add(batch{writerID(1), 1, []entry{{slot{KindOwn, 1}, 99, nil}}}, now, true) {
		t.Error("there is no end to packets")
	}
	if len(q.takeHot()) != burst/2 || len(q.takeHot()) != 0 {
		t.Error("the hot ones are not told once")
	}
	times := map[uint64]int{}
	for range 1000 {
		size := 0
		for _, message := range q.ride(3, 700) {
			size += len(message) + 3
			b, err := decodeBatch(message)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.entries {
				times[e.key]++
			}
		}
		if size > 700 {
			t.Fatalf("%d bytes in a packet of 700", size)
		}
	}
	for key, n := range times {
		if n != sendsPerNews {
			t.Errorf("record %d was told %d times", key, n)
		}
	}
	if len(times) != burst {
		t.Errorf("%d records were told", len(times))
	}
	if !q.add(batch{writerID(1), 1, []entry{{slot{KindOwn, 1}, 99, nil}}}, now.Add(2*burstWindow), true) {
		t.Error("there is no new beginning")
	}
	q.setNodes(1)
	if q.ride(3, 700) != nil || q.takeHot() != nil {
		t.Error("alone, there is somebody to tell")
	}
	big := batch{writer: writerID(1), boot: 1}
	for i := range uint64(100) {
		big.entries = append(big.entries, entry{slot{KindOwn, i}, i + 1, make([]byte, ValueLimit)})
	}
	total := 0
	for _, message := range packets([]batch{big}) {
		b, err := decodeBatch(message)
		if len(message) > packetLimit || err != nil {
			t.Errorf("a packet of %d bytes: %v", len(message), err)
		}
		total += len(b.entries)
	}
	if total != 100 {
		t.Errorf("%d of 100 records are in packets", total)
	}
}
