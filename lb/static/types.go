package static

import "github.com/weir-lb/weir/config"

// Types finds the media type of a path by its extension (`types`,
// `default_type`). It is immutable.
type Types struct {
	byExtension map[string][]byte
	other       []byte
}

// NewTypes compiles the types of a location.
func NewTypes(s *config.Settings) *Types {
	t := &Types{byExtension: make(map[string][]byte, len(s.Types))}
	for extension, mediaType := range s.Types {
		t.byExtension[extension] = []byte(mediaType)
	}
	if s.DefaultType != "" {
		t.other = []byte(s.DefaultType)
	}
	return t
}

// Of returns the type of a path, nil where it has none.
func (t *Types) Of(path []byte) []byte {
	for i := len(path) - 1; i >= 0 && path[i] != '/'; i-- {
		if path[i] == '.' {
			if found, ok := t.byExtension[string(path[i+1:])]; ok {
				return found
			}
			if found := t.lower(path[i+1:]); found != nil {
				return found
			}
			break
		}
	}
	return t.other
}

// lower looks up an extension that is written in capitals.
func (t *Types) lower(extension []byte) []byte {
	var few [32]byte
	if len(extension) > len(few) {
		return nil // no type is that long
	}
	for i, c := range extension {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		few[i] = c
	}
	return t.byExtension[string(few[:len(extension)])]
}
