package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/node/control"
)

// upstreamVerbs are the commands of `weir upstream`.
func upstreamVerbs() []verb {
	return []verb{
		{"list", "[UPSTREAM]", "servers with their addresses, as this node sees them", 0, 1, readOptions(), listUpstreams},
		{"add", "UPSTREAM ADDRESS [PARAMETER]...", "add a server: weight=2 backup …, as in a server line", 2, -1, changeOptions(), addServer},
		{"set", "UPSTREAM ADDRESS PARAMETER...", "change parameters; backup=off takes one back; order=none an order", 3, -1, orderOptions(), setServer},
		{"drain", "UPSTREAM ADDRESS", "order: only clients that are bound to it", 2, 2, orderOptions(), giveOrder("drain")},
		{"down", "UPSTREAM ADDRESS", "order: no requests", 2, 2, orderOptions(), giveOrder("down")},
		{"up", "UPSTREAM ADDRESS", "order: requests, whatever its line says", 2, 2, orderOptions(), giveOrder("up")},
		{"remove", "UPSTREAM ADDRESS", "take a server out", 2, 2, changeOptions(), removeServer},
	}
}

func listUpstreams(ctx context.Context, e *errand) error {
	var list []control.Upstream
	if len(e.words) == 1 {
		u, err := e.client.Upstream(ctx, e.words[0])
		if err != nil {
			return err
		}
		list = append(list, u)
	} else {
		var err error
		if list, err = e.client.Upstreams(ctx); err != nil {
			return err
		}
	}
	return e.show(list, func(w io.Writer) { writeUpstreams(w, list) })
}

// writeUpstreams writes a table with a line for each address.
func writeUpstreams(w io.Writer, list []control.Upstream) {
	var t table
	t.row("UPSTREAM", "SERVER", "ADDRESS", "STATE", "ACTIVE", "REQUESTS", "FAILS", "SOURCE", "ORDER", "PARAMETERS")
	for _, u := range list {
		name := u.Name
		if !u.Changeable {
			name += " (fixed)"
		}
		if len(u.Servers) == 0 {
			t.row(name, "(none)")
		}
		for _, s := range u.Servers {
			if len(s.Peers) == 0 {
				t.row(name, s.Server, "(not resolved)", "", "", "", "", s.Source, orderText(s.Order), strings.Join(s.Words(), " "))
			}
			for _, p := range s.Peers {
				o := p.Order
				if o == nil {
					o = s.Order
				}
				t.row(name, s.Server, p.Addr, stateText(&p), strconv.Itoa(p.Active), strconv.FormatUint(p.Requests, 10), strconv.FormatUint(p.Fails, 10),
					s.Source, orderText(o), strings.Join(s.Words(), " "))
			}
		}
	}
	t.write(w)
}

// stateText tells the state of a peer, and for how long it stays so at least.
func stateText(p *control.Peer) string {
	if p.HeldSeconds == 0 {
		return p.State
	}
	return fmt.Sprintf("%s (held %ds)", p.State, p.HeldSeconds)
}

// orderText tells an order with who gave it and why.
func orderText(o *control.Order) string {
	if o == nil {
		return "-"
	}
	text := o.Kind
	if o.Who != "" {
		text += " by " + o.Who
	}
	if o.Why != "" {
		text += ": " + o.Why
	}
	return text
}

func addServer(ctx context.Context, e *errand) error {
	p, err := control.ParseParameters(e.words[2:])
	if err != nil {
		return &usageError{err.Error()}
	}
	o, err := e.client.AddServer(ctx, e.words[0], control.NewServer{Server: e.words[1], Parameters: p})
	return e.done(o, err, "upstream %s: server %s added", e.words[0], e.words[1])
}

func setServer(ctx context.Context, e *errand) error {
	edit := control.ServerEdit{Why: e.option.why}
	var words []string
	for _, word := range e.words[2:] {
		if kind, ok := strings.CutPrefix(word, "order="); ok {
			edit.Order = &kind
			continue
		}
		words = append(words, word)
	}
	var err error
	if edit.Parameters, err = control.ParseParameters(words); err != nil {
		return &usageError{err.Error()}
	}
	o, err := e.client.EditServer(ctx, e.words[0], e.words[1], edit)
	return e.done(o, err, "upstream %s: server %s changed", e.words[0], e.words[1])
}

// giveOrder returns the verb that gives an order.
func giveOrder(kind string) func(context.Context, *errand) error {
	return func(ctx context.Context, e *errand) error {
		o, err := e.client.EditServer(ctx, e.words[0], e.words[1], control.ServerEdit{Order: &kind, Why: e.option.why})
		return e.done(o, err, "upstream %s: server %s is ordered %s", e.words[0], e.words[1], kind)
	}
}

func removeServer(ctx context.Context, e *errand) error {
	o, err := e.client.RemoveServer(ctx, e.words[0], e.words[1])
	return e.done(o, err, "upstream %s: server %s removed", e.words[0], e.words[1])
}
