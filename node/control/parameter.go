package control

import (
	"fmt"
	"strconv"
	"strings"
)

// Parameters are those of a server line; what is nil is not given.
type Parameters struct {
	Weight      *int    `json:"weight,omitempty"`
	MaxConns    *int    `json:"max_conns,omitempty"`
	MaxFails    *int    `json:"max_fails,omitempty"`
	FailTimeout *string `json:"fail_timeout,omitempty"` // as in the configuration, 10s
	SlowStart   *string `json:"slow_start,omitempty"`   // likewise
	Route       *string `json:"route,omitempty"`
	Service     *string `json:"service,omitempty"`
	Backup      *bool   `json:"backup,omitempty"`
	Down        *bool   `json:"down,omitempty"`
	Drain       *bool   `json:"drain,omitempty"`
	Resolve     *bool   `json:"resolve,omitempty"`
}

// texts, numbers and marks have a row for each parameter, in the order in which
// they are written.
func (p *Parameters) numbers() []named[int] {
	return []named[int]{{"weight", &p.Weight}, {"max_conns", &p.MaxConns}, {"max_fails", &p.MaxFails}}
}

func (p *Parameters) texts() []named[string] {
	return []named[string]{{"fail_timeout", &p.FailTimeout}, {"slow_start", &p.SlowStart}, {"route", &p.Route}, {"service", &p.Service}}
}

func (p *Parameters) marks() []named[bool] {
	return []named[bool]{{"resolve", &p.Resolve}, {"backup", &p.Backup}, {"down", &p.Down}, {"drain", &p.Drain}}
}

// named is a parameter and where it is kept.
type named[T any] struct {
	name string
	at   **T
}

// Words returns the parameters as a server line has them. Marks that are false
// are written "down=off".
func (p *Parameters) Words() (words []string) {
	for _, n := range p.numbers() {
		if *n.at != nil {
			words = append(words, n.name+"="+strconv.Itoa(**n.at))
		}
	}
	for _, n := range p.texts() {
		if *n.at != nil {
			words = append(words, n.name+"="+**n.at)
		}
	}
	for _, n := range p.marks() {
		switch {
		case *n.at == nil:
		case **n.at:
			words = append(words, n.name)
		default:
			words = append(words, n.name+"=off")
		}
	}
	return words
}

// ParseParameters reads what Words writes, and so what a server line has behind
// its address. Whether the values make sense is for the node to say.
func ParseParameters(words []string) (p Parameters, err error) {
	for _, word := range words {
		if err := p.add(word); err != nil {
			return Parameters{}, err
		}
	}
	return p, nil
}

func (p *Parameters) add(word string) error {
	name, value, valued := strings.Cut(word, "=")
	for _, n := range p.numbers() {
		if n.name == name {
			number, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("invalid parameter %q", word)
			}
			return n.give(number)
		}
	}
	for _, n := range p.texts() {
		if n.name == name && valued {
			return n.give(value)
		}
	}
	for _, n := range p.marks() {
		if n.name == name && (!valued || value == "on" || value == "off") {
			return n.give(value != "off")
		}
	}
	return fmt.Errorf("invalid parameter %q", word)
}

func (n named[T]) give(value T) error {
	if *n.at != nil {
		return fmt.Errorf("parameter %q is given twice", n.name)
	}
	*n.at = &value
	return nil
}
