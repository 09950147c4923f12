package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lb/weir/node"
	"github.com/weir-lb/weir/node/control"
)

// Exit codes of the commands that ask a running weir. A script may repeat what
// ended with exitNoQuorum as it is, and what ended with exitUnknown with the
// request id that was told.
const (
	exitRefused     = 1 // it is not done: the arguments make no sense, or the cluster refused
	exitUsage       = 2 // the command line makes no sense
	exitUnreachable = 3 // nobody answers at the control socket
	exitNoQuorum    = 4 // surely not done: too few nodes are there
	exitUnknown     = 5 // it may have been done
)

// errand is one command that a running weir is asked to do.
type errand struct {
	words  []string // the arguments that are no options
	option errandOptions
	client *control.Client
	out    io.Writer
}

// errandOptions are the options of all such commands.
type errandOptions struct {
	flags
	socket       string
	json         bool
	linearizable bool
	request      string
	why          string
	clusterID    string // where something cannot be taken back
	wait         *time.Duration
	help         bool
	special      []string // those given that not every verb takes
}

// verb is a command with its usage.
type verb struct {
	name, arguments string
	about           string   // one line of help
	least, most     int      // how many arguments; most -1: any number
	options         []string // it takes beside those that all take
	do              func(ctx context.Context, e *errand) error
}

// errandLimit bounds how long a command waits for its answer.
const errandLimit = 90 * time.Second

// askNode is `weir upstream …` or `weir cluster …`: it has a running node do one
// of the verbs, and returns the exit code.
func askNode(group string, verbs []verb, args []string, stdout, stderr io.Writer) int {
	e := &errand{out: stdout}
	err := e.parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "weir: %v\n", err)
		return exitUsage
	case e.option.help || len(e.words) == 0:
		return help(group, verbs, e.option.help, stdout, stderr)
	}
	v, err := find(group, verbs, e.words[0])
	if err == nil {
		e.words = e.words[1:]
		err = v.suits(group, e)
	}
	if err != nil {
		fmt.Fprintf(stderr, "weir: %v\n", err)
		return exitUsage
	}
	if err = e.connect(stderr); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), errandLimit)
		defer cancel()
		err = v.do(ctx, e)
	}
	return errandCode(err, stderr)
}

// suits tells, by an error, that there are too few or too many arguments, or
// options that would be of no effect.
func (v *verb) suits(group string, e *errand) error {
	if n := len(e.words); n < v.least || v.most >= 0 && n > v.most {
		return fmt.Errorf("usage: weir %s %s", group, v.usage())
	}
	for _, name := range e.option.special {
		if !slices.Contains(v.options, name) {
			return fmt.Errorf("\"weir %s %s\" takes no option %s", group, v.name, name)
		}
	}
	return nil
}

// What options verbs take beside those that all take, by what they do.
func readOptions() []string   { return []string{"--linearizable"} }
func changeOptions() []string { return []string{"--wait", "--request"} }
func orderOptions() []string  { return append(changeOptions(), "--why") }

func (v *verb) usage() string { return strings.TrimSpace(v.name + " " + v.arguments) }

// find returns the verb of a name.
func find(group string, verbs []verb, name string) (*verb, error) {
	var known []string
	for i := range verbs {
		if verbs[i].name == name {
			return &verbs[i], nil
		}
		known = append(known, verbs[i].name)
	}
	return nil, fmt.Errorf("there is no \"weir %s %s\"; there are: %s", group, name, strings.Join(known, ", "))
}

// help writes what the commands of a group are: asked for, it is no error.
func help(group string, verbs []verb, asked bool, stdout, stderr io.Writer) int {
	to, code := stdout, 0
	if !asked {
		to, code = stderr, exitUsage
	}
	fmt.Fprintf(to, "usage: weir %s COMMAND [OPTION]...\n\n", group)
	var t table
	for _, v := range verbs {
		t.row("  "+v.usage(), v.about)
	}
	t.write(to)
	fmt.Fprintf(to, "\nA running weir is asked, on this machine; any node of a cluster will do.\n\n")
	t = table{}
	for _, o := range errandHelp() {
		t.row("  "+o[0], o[1])
	}
	t.write(to)
	return code
}

func errandHelp() [][2]string {
	return [][2]string{
		{"-c FILE, -p, -g", "the configuration of that weir, which names its data folder"},
		{"--socket PATH", "its control socket instead, DATA/control.sock"},
		{"--json", "the answer as JSON"},
		{"--linearizable", "read all that was acknowledged before, on whichever node"},
		{"--wait TIME", "wait so long for a leader, 0 for not at all (5s without it)"},
		{"--request ID", "repeat a change whose outcome is unknown: it is done at most once"},
		{"--why TEXT", "the reason for an order, which is kept with it"},
		{"--cluster-id ID", "the cluster's id, where something cannot be taken back"},
	}
}

// parse reads options and arguments in any order.
func (e *errand) parse(args []string) error {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if len(word) < 2 || word[0] != '-' {
			e.words = append(e.words, word)
			continue
		}
		rest, err := e.parseOption(word, args)
		if err != nil {
			return err
		}
		args = rest
	}
	return nil
}

// parseOption reads one option and gives the arguments that remain after it.
func (e *errand) parseOption(word string, rest []string) ([]string, error) {
	o := &e.option
	name, value, given := strings.Cut(word, "=")
	switch name {
	case "-h", "-?", "--help":
		o.help = true
		return rest, nil
	case "--json":
		o.json = true
		return rest, nil
	case "--linearizable":
		o.linearizable, o.special = true, append(o.special, name)
		return rest, nil
	}
	if word[1] != '-' { // as everywhere in weir, the value may follow directly
		if !strings.ContainsRune("cpg", rune(word[1])) {
			return nil, fmt.Errorf("invalid option: %q", word)
		}
		name, value, given = word[:2], word[2:], len(word) > 2
	}
	if !given {
		if len(rest) == 0 {
			return nil, fmt.Errorf("option %q requires a value", name)
		}
		value, rest = rest[0], rest[1:]
	}
	return rest, o.set(name, value)
}

// set takes an option with a value.
func (o *errandOptions) set(name, value string) error {
	switch name {
	case "-c", "-p", "-g":
		place, _ := o.valued(name[1])
		*place = value
	case "--socket":
		o.socket = value
	case "--request":
		o.request = value
	case "--why":
		o.why = value
	case "--cluster-id":
		o.clusterID = value
	case "--wait":
		if n, err := strconv.Atoi(value); err == nil && n >= 0 {
			value += "s" // as in the configuration
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("--wait takes a time such as 2s, not %q", value)
		}
		o.wait = &d
	default:
		return fmt.Errorf("invalid option: %q", name)
	}
	if len(name) > 2 && name != "--socket" {
		o.special = append(o.special, name)
	}
	return nil
}

// connect finds the control socket.
func (e *errand) connect(stderr io.Writer) error {
	path := e.option.socket
	if path == "" {
		var err error
		if path, err = node.ControlPath(e.option.options(stderr)); err != nil {
			return err
		}
	}
	e.client = &control.Client{Path: path, Request: e.option.request, Linearizable: e.option.linearizable, Wait: e.option.wait}
	return nil
}

// errandCode tells what went wrong, and which exit code it is.
func errandCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "weir: %s\n", printable(err.Error()))
	var nobody *control.UnreachableError
	var told *control.Failure
	var usage *usageError
	switch {
	case errors.As(err, &nobody):
		return exitUnreachable
	case errors.As(err, &usage):
		return exitUsage
	case !errors.As(err, &told):
		return exitRefused
	}
	switch told.Code {
	case control.NoQuorum:
		return exitNoQuorum
	case control.OutcomeUnknown:
		fmt.Fprintf(stderr, "weir: it may have been done, or be yet. Repeat the same command with --request %s: it is done at most once\n", told.Request)
		return exitUnknown
	}
	return exitRefused
}

// usageError is what is wrong with a command line.
type usageError struct{ text string }

// Error returns the text.
func (e *usageError) Error() string { return e.text }

// show writes an answer as JSON if that is wanted, else as f does.
func (e *errand) show(answer any, f func(w io.Writer)) error {
	if !e.option.json {
		f(e.out)
		return nil
	}
	j := json.NewEncoder(e.out)
	j.SetEscapeHTML(false)
	j.SetIndent("", "  ")
	return j.Encode(answer)
}

// done tells of a change that was made.
func (e *errand) done(o control.Outcome, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return e.show(o, func(w io.Writer) {
		fmt.Fprintln(w, printable(fmt.Sprintf(format, args...)))
		if o.Note != "" {
			fmt.Fprintln(w, printable(o.Note))
		}
	})
}
