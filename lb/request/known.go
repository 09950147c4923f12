package request

// knownTable finds a FieldID by a small hash of the name; it is made once and
// never changed.
var knownTable = makeKnownTable()

const knownSize = 512

func knownHash(name []byte) uint {
	n := len(name)
	return (uint(n)*7 + uint(name[0]|0x20)*31 + uint(name[n-1]|0x20)*17 + uint(name[n/2]|0x20)*101) % knownSize
}

// makeKnownTable places every name in the first free place behind its hash.
func makeKnownTable() (t [knownSize]FieldID) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		at := knownHash([]byte(fieldNames[id]))
		for t[at] != FieldOther {
			at = (at + 1) % knownSize
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
	for at := knownHash(name); ; at = (at + 1) % knownSize {
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
