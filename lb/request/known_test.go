package request

import (
	"strings"
	"testing"
)

func TestKnownFindsEveryName(t *testing.T) {
	t.Parallel()
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := id.String()
		if name == "" {
			t.Fatalf("field %d has no name", id)
		}
		for _, form := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := Known([]byte(form)); got != id {
				t.Errorf("%s is %d (%s), want %d", form, got, got, id)
			}
		}
		for _, form := range []string{name + "x", name[:len(name)-1], "x" + name, strings.ReplaceAll(name, "-", "_") + "_"} {
			if got := Known([]byte(form)); got == id {
				t.Errorf("%s is taken for %s", form, name)
			}
		}
	}
}

func TestKnownOfOthers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a", "ho", "hosts", "X-Powered-By", "\x00\x00", strings.Repeat("z", 300)} {
		if got := Known([]byte(name)); got != FieldOther {
			t.Errorf("%q is %s", name, got)
		}
	}
}

// TestKnownTableHasRoom: a search ends at a free place, and is short.
func TestKnownTableHasRoom(t *testing.T) {
	t.Parallel()
	used := 0
	for _, id := range knownTable {
		if id != FieldOther {
			used++
		}
	}
	if used != int(fieldCount)-1 || used > knownSize/4 {
		t.Errorf("%d of %d places are taken by %d names", used, knownSize, fieldCount-1)
	}
}

func FuzzKnown(f *testing.F) {
	f.Add([]byte("Content-Length"))
	f.Fuzz(func(t *testing.T, name []byte) {
		id := Known(name)
		if id != FieldOther && !strings.EqualFold(id.String(), string(name)) {
			t.Fatalf("%q is taken for %s", name, id)
		}
	})
}
