package node

import (
	"fmt"
	"io"

	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/lb"
)

// Explain writes which way a request would take through the configuration. It
// starts nothing and opens no log. The error has been told on stderr when it
// returns.
func Explain(o Options, q lb.Question, w io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	lines, err := o.explain(q)
	if err != nil {
		fmt.Fprintf(o.Stderr, "weir: %v\n", err)
		return err
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("writing the explanation: %w", err)
		}
	}
	return nil
}

func (o *Options) explain(q lb.Question) ([]string, error) {
	cfg, err := o.load()
	if err != nil {
		return nil, err
	}
	names := discovery.New()
	q.Answer = func(p *lb.Prepared) {
		stop := newFeed(names, nil).foresee(p)
		stop()
	}
	return lb.Explain(lb.Options{Version: o.Version, Resolver: names}, cfg, q)
}
