package control

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts, in bytes: every node remembers them.
const (
	maxWhy  = 500 // the reason for an order
	maxText = 300 // an address with the longest name of a host, or a parameter
)

// checkText refuses a text that is too long, or not fit to be shown: it is agreed
// on as it is, and then stands in logs, and on terminals, of all nodes. What was
// not UTF-8 has come as U+FFFD.
func checkText(name, text string, most int) error {
	switch {
	case len(text) > most:
		return &Failure{Code: BadRequest, Text: fmt.Sprintf("%q has more than %d bytes", name, most)}
	case strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }):
		return &Failure{Code: BadRequest, Text: fmt.Sprintf("%q has a character that cannot be shown: %q", name, text)}
	}
	return nil
}

// check does it for all texts among parameters.
func (p *Parameters) check() error {
	for _, n := range p.texts() {
		if *n.at == nil {
			continue
		}
		if err := checkText(n.name, **n.at, maxText); err != nil {
			return err
		}
	}
	return nil
}
