package cert

import (
	"fmt"
	"slices"
	"strings"
)

// CipherList is a cipher list in OpenSSL's syntax, resolved.
type CipherList struct {
	// IDs are the suites for TLS 1.2 and before, as crypto/tls numbers them, in the order of the list (which crypto/tls ignores).
	IDs []uint16
	// Ignored are the words that named no known suite or group. OpenSSL passes over them too; the operator may like to know.
	Ignored []string
}

// defaultCiphers is what the word DEFAULT at the beginning of a list stands for.
const defaultCiphers = "ALL:!COMPLEMENTOFDEFAULT:!eNULL"

// ParseCiphers resolves a value of ssl_ciphers or proxy_ssl_ciphers: suite names and group words, joined by colons, commas or
// spaces; groups intersected with "+"; "!" removes for good, "-" removes, a leading "+" moves to the end; @STRENGTH sorts by key
// length. @SECLEVEL is understood and sets nothing, since crypto/tls has bounds of its own. A list that selects nothing is an error.
func ParseCiphers(list string) (CipherList, error) {
	p := cipherParser{known: suites(), list: list}
	words := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(":, ;", r) })
	if len(words) > 0 && words[0] == "DEFAULT" {
		words = append(strings.Split(defaultCiphers, ":"), words[1:]...)
	}
	for _, w := range words {
		if err := p.apply(w); err != nil {
			return CipherList{}, err
		}
	}
	if len(p.chosen) == 0 {
		return CipherList{}, p.failed(noCipherMatch)
	}
	result := CipherList{Ignored: p.ignored}
	for _, s := range p.chosen {
		result.IDs = append(result.IDs, s.id)
	}
	return result, nil
}

type cipherParser struct {
	list    string
	known   []suite // those not removed for good
	chosen  []suite
	ignored []string
}

func (p *cipherParser) failed(reason string) error {
	return failed(fmt.Sprintf("SSL_CTX_set_cipher_list(%q)", p.list), reason)
}

// apply carries out one word of the list.
func (p *cipherParser) apply(text string) error {
	if strings.HasPrefix(text, "@") {
		return p.command(text)
	}
	operator := text[0]
	name := strings.TrimLeft(text[:1], "!-+") + text[1:]
	selects, ok := p.selector(name)
	if !ok {
		p.ignored = append(p.ignored, name)
		return nil
	}
	switch operator {
	case '!':
		p.known = slices.DeleteFunc(p.known, selects)
		p.chosen = slices.DeleteFunc(p.chosen, selects)
	case '-':
		p.remove(selects)
	case '+':
		p.moveToEnd(selects)
	default:
		p.add(selects)
	}
	return nil
}

func (p *cipherParser) command(text string) error {
	level, isLevel := strings.CutPrefix(text, "@SECLEVEL=")
	switch {
	case text == "@STRENGTH":
		slices.SortStableFunc(p.chosen, func(a, b suite) int { return b.bits - a.bits })
	case isLevel && len(level) == 1 && level[0] >= '0' && level[0] <= '5':
	default:
		return p.failed("SSL routines::invalid command")
	}
	return nil
}

// selector returns the test for one suite name or for an intersection of group words.
func (p *cipherParser) selector(name string) (func(suite) bool, bool) {
	for _, s := range suites() {
		if s.name == name {
			return func(t suite) bool { return t.id == s.id }, true
		}
	}
	var words []word
	for part := range strings.SplitSeq(name, "+") {
		w, ok := groupWord(part)
		if !ok {
			return nil, false
		}
		words = append(words, w)
	}
	return func(s suite) bool {
		for _, w := range words {
			if !w.selects(&s) {
				return false
			}
		}
		return true
	}, true
}

// add appends the selected suites that are not chosen yet. Those that "-" took away come first, as OpenSSL keeps them at the head.
func (p *cipherParser) add(selects func(suite) bool) {
	for _, s := range p.known {
		if selects(s) && !slices.ContainsFunc(p.chosen, func(c suite) bool { return c.id == s.id }) {
			p.chosen = append(p.chosen, s)
		}
	}
}

func (p *cipherParser) remove(selects func(suite) bool) {
	var away, stay []suite
	for _, s := range p.chosen {
		if selects(s) {
			away = append(away, s)
		} else {
			stay = append(stay, s)
		}
	}
	p.chosen = stay
	rest := slices.DeleteFunc(slices.Clone(p.known), func(s suite) bool { return slices.Contains(away, s) })
	p.known = append(away, rest...)
}

func (p *cipherParser) moveToEnd(selects func(suite) bool) {
	var moved, stay []suite
	for _, s := range p.chosen {
		if selects(s) {
			moved = append(moved, s)
		} else {
			stay = append(stay, s)
		}
	}
	p.chosen = append(stay, moved...)
}
