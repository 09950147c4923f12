package node

import (
	"context"

	"github.com/weir-lb/weir/config"
)

// Balancer is the data plane as a node drives it.
type Balancer interface {
	// Check does all of cfg that can fail, except binding sockets, and keeps nothing.
	Check(cfg *config.Config) error

	// Prepare builds cfg whole beside what runs, and binds the sockets that are
	// new in it. On an error nothing has changed.
	Prepare(cfg *config.Config) (Generation, error)

	// Drain takes no new connections and returns when the last request is
	// done or ctx ends.
	Drain(ctx context.Context) error

	// Close ends everything at once.
	Close() error
}

// Generation is a configuration that is ready to serve.
type Generation interface {
	// Start makes it the one that serves. The channel is closed when the last
	// request of the generation before has ended; it is nil if there was none.
	Start() (retired <-chan struct{})

	// Discard gives back what Prepare took, instead of Start.
	Discard()
}
