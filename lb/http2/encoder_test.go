package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// peer reads blocks as any other implementation would.
type peer struct {
	t   testing.TB
	dec *hpack.Decoder
	got []string
}

func newPeer(t testing.TB) *peer {
	p := &peer{t: t}
	p.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.got = append(p.got, f.Name+": "+f.Value) })
	return p
}

func (p *peer) decode(block []byte) string {
	p.t.Helper()
	p.got = p.got[:0]
	if _, err := p.dec.Write(block); err != nil {
		p.t.Fatalf("block %x: %v", block, err)
	}
	if err := p.dec.Close(); err != nil {
		p.t.Fatalf("block %x: %v", block, err)
	}
	return strings.Join(p.got, "|")
}

func TestEncoderIsUnderstood(t *testing.T) {
	t.Parallel()
	var e Encoder
	p := newPeer(t)
	var sizes []int
	for i := range 200 {
		dst := e.AppendStatus(e.Begin(nil), 200+i%3)
		dst = e.Append(dst, []byte("server"), []byte("weir"))
		dst = e.Append(dst, []byte("x-number"), fmt.Append(nil, i/3))
		dst = e.Append(dst, []byte("x-long"), bytes.Repeat([]byte{'a' + byte(i/7%26)}, 40*(i%9)))
		dst = e.Append(dst, []byte("set-cookie"), []byte("secret"))
		want := fmt.Sprintf(":status: %d|server: weir|x-number: %d|x-long: %s|set-cookie: secret",
			200+i%3, i/3, strings.Repeat(string(rune('a'+i/7%26)), 40*(i%9)))
		if got := p.decode(dst); got != want {
			t.Fatalf("block %d: %s\nwant %s", i, got, want)
		}
		sizes = append(sizes, len(dst))
	}
	if sizes[198] >= sizes[0] {
		t.Errorf("nothing was compressed: %v", sizes)
	}
}

func TestEncoderIndexesWhatComesTwice(t *testing.T) {
	t.Parallel()
	var e Encoder
	var lengths [3]int
	for i := range lengths {
		lengths[i] = len(e.Append(e.Begin(nil), []byte("server"), []byte("weir/1")))
	}
	if lengths != [3]int{9, 8, 1} { // without, with entering, by index; the name is static
		t.Errorf("lengths %v", lengths)
	}
	for range 3 {
		if n := len(e.Append(nil, []byte("cookie"), []byte("a"))); n != 4 {
			t.Errorf("a secret takes %d bytes: was it indexed?", n)
		}
	}
}

func TestEncoderObeysLimits(t *testing.T) {
	t.Parallel()
	var e Encoder
	p := newPeer(t)
	block := func() []byte {
		dst := e.Begin(nil)
		for _, name := range []string{"a", "b", "c"} {
			dst = e.Append(dst, []byte(name), []byte(strings.Repeat(name, 30)))
		}
		return dst
	}
	want := "a: " + strings.Repeat("a", 30) + "|b: " + strings.Repeat("b", 30) + "|c: " + strings.Repeat("c", 30)
	check := func(what string) {
		t.Helper()
		for range 3 {
			if got := p.decode(block()); got != want {
				t.Fatalf("%s: %s", what, got)
			}
		}
	}
	check("at first")
	e.SetLimit(100)
	p.dec.SetAllowedMaxDynamicTableSize(100)
	check("small table")
	e.SetLimit(0)
	e.SetLimit(1 << 20)
	p.dec.SetAllowedMaxDynamicTableSize(1 << 20)
	check("large again")
	if n := len(block()); n != 3 {
		t.Errorf("%d bytes for three known fields", n)
	}
	e.Rest()
	check("after a rest")
}

func TestEncoderAllocatesNothing(t *testing.T) {
	var e Encoder
	dst := make([]byte, 0, 4096)
	name, value := []byte("x-some"), []byte("value")
	i := 0
	n := testing.AllocsPerRun(500, func() {
		dst = e.AppendStatus(e.Begin(dst[:0]), 302)
		dst = e.Append(dst, name, value)
		value[0] = 'a' + byte(i/5%20)
		i++
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzEncoder: whatever is encoded is decoded to the same, over changes of the
// table's size.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte("\x03abcserver\x00weir"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Encoder
		p := newPeer(t)
		for len(data) > 2 {
			op, n := data[0], min(int(data[1]), len(data)-2)
			name, value := "x"+strings.Repeat("n", int(op)%5), string(data[2:2+n])
			data = data[2+n:]
			switch op >> 5 {
			case 6:
				e.SetLimit(uint32(op&31) * 200)
				p.dec.SetAllowedMaxDynamicTableSize(uint32(op&31) * 200)
			case 7:
				e.Rest()
			}
			block := e.Append(e.Begin(nil), []byte(name), []byte(value))
			block = e.Append(block, []byte(name), []byte(value))
			if got, want := p.decode(block), name+": "+value+"|"+name+": "+value; got != want {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	})
}
