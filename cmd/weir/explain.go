package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/node"
)

const explainUsage = "usage: weir explain [-c FILE] [-p PREFIX] [-g DIRECTIVES] [-H 'NAME: VALUE']... [-a ADDRESS] [METHOD] URL"

// explain is `weir explain …`: which way a request takes, and why.
func explain(args []string, stdout, stderr io.Writer) error {
	f, q, err := parseExplain(args)
	if err != nil {
		fmt.Fprintf(stderr, "weir: %v\n", err)
		return err
	}
	return node.Explain(f.options(stderr), q, stdout)
}

// parseExplain reads the arguments; the value of an option may follow it
// directly, as everywhere in weir.
func parseExplain(args []string) (f flags, q lb.Question, err error) {
	var words []string
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if len(word) < 2 || word[0] != '-' {
			words = append(words, word)
			continue
		}
		value := word[2:]
		if value == "" {
			if len(args) == 0 {
				return f, q, errors.New(explainUsage)
			}
			value, args = args[0], args[1:]
		}
		if err := f.explainOption(word[1], value, &q); err != nil {
			return f, q, err
		}
	}
	switch len(words) {
	case 1:
		q.Method, q.URL = "GET", words[0]
	case 2:
		q.Method, q.URL = strings.ToUpper(words[0]), words[1]
	default:
		return f, q, errors.New(explainUsage)
	}
	return f, q, nil
}

// explainOption takes one option with its value.
func (f *flags) explainOption(letter byte, value string, q *lb.Question) (err error) {
	switch letter {
	case 'H':
		q.Header = append(q.Header, value)
	case 'a':
		if q.Client, err = netip.ParseAddr(value); err != nil {
			return fmt.Errorf("-a takes the address of a client, not %q", value)
		}
	case 'c', 'p', 'g':
		place, _ := f.valued(letter)
		*place = value
	default:
		return errors.New(explainUsage)
	}
	return nil
}
