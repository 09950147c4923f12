package request

// knownTable finds a FieldID by a small hash of the name; it is made once and
// never changed.
var knownTable = makeKnownTable()

const knownSize = 256 // a power of two

// knownHash gives no two of the known names the same place.
func knownHash(name []byte) uint8 {
	n := len(name)
	return uint8(n)*100 + (name[0]|0x20)*87 + (name[n-1]|0x20)*95 + (name[n>>1]|0x20)*48
}

// makeKnownTable places every name in the first free place behind its hash.
func makeKnownTable() (t [knownSize]FieldID) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		at := knownHash([]byte(fieldNames[id]))
		for t[at] != FieldOther {
			at++
		}
		t[at] = id
	}
	return t
}

// Known returns the ID of a field name in any case, FieldOther for a name
// that is not known.
func Known(name []byte) FieldID {
	if len(name) < 2 {
		return FieldOther
	}
	for at := knownHash(name); ; at++ {
		id := knownTable[at]
		if id == FieldOther {
			return FieldOther
		}
		// Most names come as they are written here, and equality is found faster.
		if known := fieldNames[id]; string(name) == known || len(known) == len(name) && equalFoldString(name, known) {
			return id
		}
	}
}

func equalFoldString(a []byte, b string) bool {
	for i, c := range a {
		if d := b[i]; c != d && lower(c) != lower(d) {
			return false
		}
	}
	return true
}
