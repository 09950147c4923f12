package store

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// player does what a proxy does, at random, and checks all it is served. Each
// body is made of its key and version, which the head names, so that a wrong
// one cannot pass.
type player struct {
	z    *Zone
	rng  *rand.Rand
	keys int
	hits int
}

func newPlayer(z *Zone, keys int, seed uint64) *player {
	return &player{z: z, rng: rand.New(rand.NewPCG(seed, 1)), keys: keys}
}

// text is one of the keys.
func (p *player) text() []byte { return fmt.Appendf(nil, "/%d/key", p.rng.IntN(p.keys)) }

// step does one thing; the error tells what was wrong.
func (p *player) step() error {
	text := p.text()
	switch p.rng.IntN(20) {
	case 0:
		_, err := p.z.Purge(text)
		return err
	case 1:
		_, err := p.z.Purge(append(text[:len(text)-3], '*'))
		return err
	case 2, 3, 4, 5, 6:
		return p.store(text)
	}
	e := p.z.Get(KeyOf(text), text, time.Now().Unix())
	if e == nil {
		return p.store(text)
	}
	defer e.Release()
	p.hits++
	if err := checkEntry(e, text); err != nil {
		return err
	}
	switch p.rng.IntN(10) {
	case 0:
		p.z.Delete(e)
	case 1, 2:
		m := *e.Meta()
		m.Flags++
		m.ETag = bytes.Repeat([]byte{'x'}, p.rng.IntN(300))
		x := p.z.Expect(e.Key(), e.Text())
		defer x.End()
		next := p.z.Update(e, m, x)
		defer next.Release()
		return checkEntry(next, text)
	}
	return nil
}

// store fills an entry piece by piece, while another reads it.
func (p *player) store(text []byte) error {
	size := p.rng.IntN(3000)
	if p.rng.IntN(5) == 0 {
		size = p.rng.IntN(300 << 10)
	}
	head := fmt.Sprintf("%s of %d", text, p.rng.Uint32())
	f, err := p.z.Begin(FillOptions{Key: KeyOf(text), Text: text, Meta: Meta{Status: 200, Head: []byte(head)}, Length: -1})
	if err != nil {
		return err
	}
	body := bodyFor(head, size)
	read := make(chan error, 1)
	if r := f.Reader(0); p.rng.IntN(2) == 0 {
		go func() { read <- checkReader(r, body) }()
	} else {
		r.Close()
		read <- nil
	}
	for at := 0; at < size; {
		n := min(1+p.rng.IntN(40000), size-at)
		if _, err := f.Write(body[at : at+n]); err != nil {
			f.Abort()
			return err
		}
		at += n
	}
	if err := f.Commit(); err != nil && err != ErrPurged {
		return err
	}
	return <-read
}

func checkReader(r *FillReader, body []byte) error {
	defer r.Close()
	buf := make([]byte, 8000)
	var got []byte
	for {
		p, err := r.Next(buf)
		got = append(got, p...)
		if err == io.EOF && bytes.Equal(got, body) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading while it arrives: %d of %d bytes: %w", len(got), len(body), err)
		}
	}
}

// checkEntry compares all of an entry with what was stored under a text.
func checkEntry(e *Entry, text []byte) error {
	head := string(e.Meta().Head)
	if !bytes.Equal(e.Text(), text) || !bytes.HasPrefix(e.Meta().Head, append(bytes.Clone(text), " of "...)) {
		return fmt.Errorf("%s: got %q, %q", text, e.Text(), head)
	}
	body, ok := e.Bytes()
	if !ok {
		f, offset := e.File()
		body = make([]byte, e.Len())
		if _, err := f.ReadAt(body, offset); err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	if !bytes.Equal(body, bodyFor(head, int(e.Len()))) {
		return fmt.Errorf("%s: wrong body behind head %q", text, head)
	}
	return nil
}
