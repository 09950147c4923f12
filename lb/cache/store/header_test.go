package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func exampleHeader() header {
	h := header{text: []byte("http://example.com/"), bodyLen: 5, bodySum: bodySum([]byte("hello")), sequence: 3, written: 12345}
	h.meta = Meta{
		Status: 206, Flags: 1 << 31, Stored: 1, Valid: 2, LastModified: -1, Age: 4, StaleWhile: 5, StaleError: 6,
		Variant: [16]byte{7}, Vary: []byte("accept"), ETag: []byte(`"x"`), Head: []byte("Content-Type: text/plain\r\n"),
	}
	h.layout()
	return h
}

// fileOf is the whole file of a header with the body "hello".
func fileOf(h *header) []byte {
	b := h.appendPrologue(nil)
	b = h.appendSlot(b, prologueSum(b, h.text))
	b = append(b, make([]byte, int(h.bodyOffset)-len(b))...)
	return append(b, "hello"...)
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := exampleHeader()
	got, err := parseHeader(fileOf(&h))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%v\n%+v\n%+v", err, got, h)
	}
	if _, err := parseHeader(bytes.Repeat([]byte("nginx "), 100)); !errors.Is(err, errForeign) {
		t.Errorf("another program's: %v", err)
	}
}

// TestEveryDamageIsSeen turns each bit of a file and cuts it everywhere.
func TestEveryDamageIsSeen(t *testing.T) {
	t.Parallel()
	h := exampleHeader()
	whole := fileOf(&h)
	path := filepath.Join(memoryDir(t), "file")
	slack := prologueSize + len(h.text) + h.meta.size() // behind it only slack and the unused slot
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			read, err := readAll(t, path, b)
			// The last four bytes of the prologue mean nothing.
			harmless := i >= slack && i < int(h.bodyOffset) || i >= prologueSize-4 && i < prologueSize
			if (err == nil) != harmless {
				t.Errorf("bit %d of byte %d: %v", bit, i, err)
			}
			if err == nil && !reflect.DeepEqual(read, h) {
				t.Errorf("bit %d of byte %d: %+v", bit, i, read)
			}
		}
		if _, err := readAll(t, path, whole[:i]); err == nil {
			t.Errorf("cut at %d, and nobody sees it", i)
		}
	}
	if _, err := readAll(t, path, append(whole, 'x')); err == nil {
		t.Error("a byte too many, and nobody sees it")
	}
}

// readAll reads and checks a file of the given content.
func readAll(t *testing.T, path string, content []byte) (header, error) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := readHeader(f, int64(len(content)))
	if err != nil {
		return h, err
	}
	return h, checkBody(f, &h, make([]byte, 3))
}

func FuzzParseHeader(f *testing.F) {
	h := exampleHeader()
	f.Add(fileOf(&h))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		sumUp(b) // else hardly anything would come past the checksums
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if int(h.bodyOffset) > len(b) || h.bodyLen < 0 || h.meta.size() > h.slotSize || len(h.text) > MaxText {
			t.Errorf("%+v of %d bytes", h, len(b))
		}
		again, err := parseHeader(fileOf(&h))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("written again: %v\n%+v\n%+v", err, again, h)
		}
	})
}

// sumUp puts right the checksums of what looks like a header.
func sumUp(b []byte) {
	p, err := parsePrologue(b)
	if err != nil || p.bodyOffset > len(b) {
		return
	}
	first := prologueSize + p.textLen
	sum := prologueSum(b, b[prologueSize:first])
	binary.LittleEndian.PutUint32(b[24:], sum)
	for _, slot := range [][]byte{b[first : first+p.slotSize], b[first+p.slotSize : p.bodyOffset]} {
		if used := int(binary.LittleEndian.Uint32(slot[4:])); used >= slotFixed && used <= len(slot) {
			binary.LittleEndian.PutUint32(slot, crc32.Update(sum, castagnoli(), slot[4:used]))
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add("12 2f696d67.\n13 .\n")
	f.Add("12 2f.\n13 2f69")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range parseJournal(text) {
			if len(r.prefix) > len(text) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	key := KeyOf([]byte("a"))
	for name, want := range map[string]bool{
		key.String(): true, "0cc175b9c0f1b6a831c399e26977266": false, "0CC175B9C0F1B6A831C399E269772661": false,
		"0cc175b9c0f1b6a831c399e26977266g": false, "": false, "0cc175b9c0f1b6a831c399e269772661.0123456789": false,
	} {
		if got, ok := parseKey(name); ok != want || ok && got != key {
			t.Errorf("%q: %v %v", name, got, ok)
		}
	}
}
