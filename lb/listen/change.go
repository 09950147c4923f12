package listen

import (
	"errors"
	"net"
	"slices"
)

// Change is a step from the sockets in force to those of a new configuration. What was new is already open and bound, but nothing
// is accepted on it before Commit. A Change is for one goroutine.
type Change struct {
	set      *Set
	bindings []Binding
	specs    map[*Socket]Spec    // wanted options of each socket
	lanes    map[*Socket][]*lane // descriptors opened by this change, not accepting yet
	done     bool
}

// Bindings tells, for each socket, which of the specs it serves. The result is to be kept by the generation and not altered.
func (c *Change) Bindings() []Binding { return c.bindings }

// openAll opens what is missing and returns the failures of all addresses; it may be called again after a failure.
func (c *Change) openAll(specs []Spec) error {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if c.set.closed {
		return net.ErrClosed
	}
	var errs []error
	for i := range c.bindings {
		b := &c.bindings[i]
		if b.Socket != nil {
			continue // had at an earlier try
		}
		spec := &specs[b.Specs[len(b.Specs)-1]]
		if err := c.open(b, spec); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c *Change) open(b *Binding, spec *Spec) error {
	socket, kept := c.set.sockets[spec.Name()]
	if !kept {
		socket = &Socket{name: spec.Name(), path: spec.Path}
		c.set.claim(socket)
	}
	lanes, err := socket.openLanes(spec, c.set.lanesFor(spec), c.set.reaper)
	if err != nil {
		c.set.unclaim(socket, socket.lanes)
		return err
	}
	if !kept {
		lanes = append(socket.lanes, lanes...) // inherited ones first
		socket.lanes = nil                     // until Commit
		socket.addr = lanes[0].ln.Addr()
	}
	b.Socket = socket
	c.specs[socket] = *spec
	c.lanes[socket] = lanes
	return nil
}

// Commit puts the change in force: new sockets start accepting, options that changed are set, and sockets that are no longer
// wanted are closed. Call it when the new generation is in place, as connections may arrive at once.
// Its errors concern only the closing of old sockets.
func (c *Change) Commit() error {
	s := c.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.done {
		return nil
	}
	if s.closed {
		return errors.Join(net.ErrClosed, c.discard())
	}
	c.done, s.pending = true, false
	for _, b := range c.bindings {
		socket := b.Socket
		s.sockets[socket.Name()] = socket
		socket.lanes = append(socket.lanes, c.lanes[socket]...)
		spec := c.specs[socket]
		for _, l := range socket.lanes {
			tune(l.ln, &spec, s.report)
		}
		if !s.stopped {
			s.run(socket)
		}
	}
	errs := []error{s.dropInherited()}
	for name, socket := range s.sockets {
		if _, wanted := c.specs[socket]; !wanted {
			delete(s.sockets, name)
			errs = append(errs, socket.close(!s.handedOn))
		}
	}
	s.flush() // what came by a socket that is closed now must be told so
	return errors.Join(errs...)
}

// Abort drops the change: what it opened is closed and the sockets in force stay as they were. After Commit it does nothing,
// so it can be deferred.
func (c *Change) Abort() error {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	if c.done {
		return nil
	}
	return c.discard()
}

// discard closes what the change opened. Inherited descriptors go back to where they were claimed.
func (c *Change) discard() error {
	c.done, c.set.pending = true, false
	var errs []error
	for socket, lanes := range c.lanes {
		c.set.unclaim(socket, lanes)
		fresh := slices.DeleteFunc(lanes, func(l *lane) bool { return l.inherited })
		if len(fresh) > 0 {
			errs = append(errs, closeLanes(fresh), removeFile(socket.path))
		}
	}
	return errors.Join(errs...)
}
