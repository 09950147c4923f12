package config

import "bytes"

// maxWord is the size of nginx's read buffer: a longer word is an error there,
// and is one here, because it is nearly always a missing quote.
const maxWord = 4096

// end says what ended a run of words.
type end uint8

const (
	endSemicolon end = iota // ";": a simple directive
	endOpen                 // "{": a block directive
	endClose                // "}": the end of the enclosing block, without words
	endFile                 // end of the text, without words
)

// lexer cuts the text of one file into directives, as lists of words.
type lexer struct {
	file  string
	text  []byte
	pos   int
	line  int // 0 for directives of the command line, which have no lines
	words []string
}

func newLexer(file string, text []byte) *lexer {
	return &lexer{file: file, text: text, line: 1}
}

func (l *lexer) place() Pos { return Pos{l.file, l.line} }

// next reads the words up to the next ";", "{", "}" or the end of the text.
// The words are valid until the next call.
func (l *lexer) next() ([]string, end, error) {
	l.words = l.words[:0]
	for {
		l.skipSpace()
		if l.pos >= len(l.text) {
			if len(l.words) > 0 {
				return nil, 0, l.truncated()
			}
			return nil, endFile, nil
		}
		switch c := l.text[l.pos]; c {
		case ';', '{', '}':
			l.pos++
			if (c == '}') == (len(l.words) > 0) {
				return nil, 0, l.place().Errorf("unexpected %q", string(c))
			}
			return l.words, endOf(c), nil
		case '"', '\'':
			if err := l.quoted(c); err != nil {
				return nil, 0, err
			}
		default:
			if err := l.bare(); err != nil {
				return nil, 0, err
			}
		}
	}
}

func endOf(c byte) end {
	switch c {
	case ';':
		return endSemicolon
	case '{':
		return endOpen
	}
	return endClose
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// skipSpace passes white space and comments; a comment begins only where a word
// could begin.
func (l *lexer) skipSpace() {
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case c == '\n':
			l.newline()
		case isSpace(c):
		case c == '#':
			n := bytes.IndexByte(l.text[l.pos:], '\n')
			if n < 0 {
				l.pos = len(l.text)
				return
			}
			l.pos += n
			continue
		default:
			return
		}
		l.pos++
	}
}

func (l *lexer) newline() {
	if l.line > 0 {
		l.line++
	}
}

// quoted reads a word that begins with the quote q. What follows the closing
// quote must be able to end a word.
func (l *lexer) quoted(q byte) error {
	startLine := l.line
	l.pos++
	start := l.pos
	for l.pos < len(l.text) {
		switch l.text[l.pos] {
		case q:
			l.words = append(l.words, unescape(l.text[start:l.pos]))
			l.pos++
			return l.afterQuote()
		case '\\':
			l.escape()
		case '\n':
			l.newline()
		}
		l.pos++
		if l.pos-start >= maxWord {
			return Pos{l.file, startLine}.Errorf("too long parameter, probably missing terminating %q character", string(q))
		}
	}
	return l.truncated()
}

func (l *lexer) afterQuote() error {
	if l.pos >= len(l.text) {
		return l.truncated()
	}
	switch c := l.text[l.pos]; c {
	case ';', '{', ')':
		return nil
	default:
		if isSpace(c) {
			return nil
		}
		return l.place().Errorf("unexpected \"%c\"", c)
	}
}

// bare reads a word without quotes. An opening brace right after a dollar sign
// belongs to the word, so that ${name} can be written.
func (l *lexer) bare() error {
	start, startLine, dollar := l.pos, l.line, false
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		switch {
		case c == '{' && dollar:
		case isSpace(c) || c == ';' || c == '{':
			l.words = append(l.words, unescape(l.text[start:l.pos]))
			return nil
		default:
			dollar = c == '$'
			if c == '\\' {
				l.escape()
			}
		}
		l.pos++
		if l.pos-start >= maxWord {
			return Pos{l.file, startLine}.Errorf("too long parameter \"%s...\" started", l.text[start:start+10])
		}
	}
	return l.truncated()
}

// escape passes a backslash and leaves the byte after it to the caller to pass:
// whatever it is, it neither ends nor begins anything.
func (l *lexer) escape() {
	if l.pos+1 < len(l.text) {
		l.pos++
		if l.text[l.pos] == '\n' {
			l.newline()
		}
	}
}

func (l *lexer) truncated() error {
	if l.line == 0 {
		return l.place().Errorf(`unexpected end of parameter, expecting ";"`)
	}
	return l.place().Errorf(`unexpected end of file, expecting ";" or "}"`)
}

// unescape resolves the escapes of a word. Only quotes, the backslash itself
// and \t, \r, \n are escapes; every other backslash stays, so that regular
// expressions can be written without quotes.
func unescape(word []byte) string {
	if bytes.IndexByte(word, '\\') < 0 {
		return string(word)
	}
	out := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c == '\\' && i+1 < len(word) {
			switch word[i+1] {
			case '"', '\'', '\\':
				i++
				c = word[i]
			case 't':
				i++
				c = '\t'
			case 'r':
				i++
				c = '\r'
			case 'n':
				i++
				c = '\n'
			}
		}
		out = append(out, c)
	}
	return string(out)
}
