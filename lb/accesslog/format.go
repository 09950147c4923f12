package accesslog

import (
	"encoding/binary"
	"fmt"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// Format is a compiled `log_format`. It is immutable and safe for concurrent
// use with different sources.
type Format struct {
	text   *variable.Text
	escape variable.Escape
}

// Compile resolves the variables of a log format.
func Compile(t variable.Names, f *config.LogFormat) (*Format, error) {
	text, err := variable.CompileConfig(t, f.Format)
	if err != nil {
		return nil, err
	}
	switch f.Escape {
	case config.EscapeDefault:
		return &Format{text, appendDefault}, nil
	case config.EscapeJSON:
		return &Format{text, appendJSON}, nil
	case config.EscapeNone:
		return &Format{text, appendNone}, nil
	}
	return nil, fmt.Errorf("log format %q has an unknown escape %d", f.Name, f.Escape)
}

// Append writes a whole line, its line feed included, behind dst, which must
// not be memory of the source's arena.
func (f *Format) Append(dst []byte, s variable.Source) []byte {
	return append(f.text.AppendEscaped(dst, s, f.escape), '\n')
}

const hexDigits = "0123456789ABCDEF"

// appendDefault writes a hyphen for a missing value, and everything that is
// not printable ASCII, quotes and backslashes as \xXX.
func appendDefault(dst, value []byte, found bool) []byte {
	if !found {
		return append(dst, '-')
	}
	from, i := 0, 0
	for i < len(value) {
		if len(value)-i >= 8 && isPlainWord(binary.LittleEndian.Uint64(value[i:])) {
			i += 8
			continue
		}
		// The word has such a byte, or it is the rest: go on byte by byte.
		for end := min(i+8, len(value)); i < end; i++ {
			c := value[i]
			if !escapedByDefault[c] {
				continue
			}
			dst = append(dst, value[from:i]...)
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			from = i + 1
		}
	}
	return append(dst, value[from:]...)
}

// isPlainWord tells whether none of eight bytes is escaped by default. Nearly
// all of them are plain, and log lines are long enough for this to show.
func isPlainWord(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash, del := w^('"'*ones), w^('\\'*ones), w^(0x7f*ones)
	// x-ones has a high bit over every zero byte of x, w-' ' over every
	// control byte; a borrow can only add bits above a true one.
	found := (w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash | (del-ones)&^del | w
	return found&highs == 0
}

// appendJSON writes what may stand between the quotes of a JSON string, and
// nothing for a missing value. Bytes from 0x7f on stay, as nginx leaves them.
func appendJSON(dst, value []byte, _ bool) []byte {
	from := 0
	for i, c := range value {
		if !escapedInJSON[c] {
			continue
		}
		dst = append(dst, value[from:i]...)
		dst = appendJSONByte(dst, c)
		from = i + 1
	}
	return append(dst, value[from:]...)
}

func appendJSONByte(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

func appendNone(dst, value []byte, _ bool) []byte { return append(dst, value...) }

// Which bytes each escape changes; made once and never changed.
var (
	escapedByDefault = bytesWhere(func(c byte) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })
	escapedInJSON    = bytesWhere(func(c byte) bool { return c < ' ' || c == '"' || c == '\\' })
)

func bytesWhere(is func(byte) bool) (table [256]bool) {
	for c := range table {
		table[c] = is(byte(c))
	}
	return table
}
