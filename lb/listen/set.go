package listen

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Config holds what a [Set] needs besides addresses.
type Config struct {
	// Accept takes a new connection, a *Conn: when its first bytes are here, or about 100 ms after it came, whichever is first.
	// It must return at once, and it must not call methods of the Set. Several goroutines call it, but only one for each connection.
	Accept func(net.Conn, *Socket)
	// Report takes troubles that do not end anything: *OptionError, *AcceptError, *OpenError of a repeated listen(2).
	// It may be called by several goroutines at once.
	Report func(error)
	// Lanes is the number of sockets opened for an address with reuseport; 0 means one per usable processor.
	Lanes int
	// BindTries is how often an address that is in use is tried before Open fails; 0 means nginx's 5. BindPause is the time between
	// two tries; 0 means nginx's 500 ms.
	BindTries int
	BindPause time.Duration
}

// Set is the listening sockets of one balancer. Its methods are safe for use by many goroutines.
type Set struct {
	config   Config
	reaper   *reaper
	deferral *deferral // nil until something is accepted, or where there cannot be one

	mu        sync.Mutex
	sockets   map[string]*Socket // by name; those in force
	inherited map[string][]*lane // handed on by a predecessor, not claimed yet
	pending   bool               // a Change is neither committed nor aborted
	stopped   bool               // accepting is suspended
	handedOn  bool               // a successor uses the unix socket files
	closed    bool
}

// New returns a set without sockets.
func New(config Config) *Set {
	if config.Lanes == 0 {
		config.Lanes = runtime.GOMAXPROCS(0)
	}
	if config.BindTries == 0 {
		config.BindTries = 5
	}
	if config.BindPause == 0 {
		config.BindPause = 500 * time.Millisecond
	}
	return &Set{config: config, sockets: make(map[string]*Socket), reaper: newReaper()}
}

// errStillBound is the last line of a failed opening, as nginx words it.
var errStillBound = errors.New("still could not bind()")

// Open opens the addresses that are not open yet and returns the change, which is to be committed or aborted. When an address
// cannot be had, everything opened by this call is closed again and the error has one line for each such address, in nginx's
// words. An address in use is tried again for about two seconds, since its holder may be about to leave.
func (s *Set) Open(specs []Spec) (*Change, error) {
	bindings, err := plan(specs)
	if err != nil {
		return nil, err
	}
	c := &Change{set: s, bindings: bindings, specs: make(map[*Socket]Spec), lanes: make(map[*Socket][]*lane)}
	if err := s.begin(); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		err = c.openAll(specs)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		if try >= s.config.BindTries {
			err = errors.Join(err, errStillBound)
			break
		}
		time.Sleep(s.config.BindPause)
	}
	return nil, errors.Join(err, c.Abort())
}

// begin marks a change as pending, as there can be only one.
func (s *Set) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case s.pending:
		return errors.New("another change of the listening sockets is not finished")
	}
	s.pending = true
	return nil
}

// Test finds out whether the addresses could be opened, and leaves nothing open. Addresses in use are accepted, since the
// test is usually run beside a running process.
func (s *Set) Test(specs []Spec) error {
	bindings, err := plan(specs)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range bindings {
		spec := specs[b.Specs[len(b.Specs)-1]]
		ln, err := open(&spec, s.reaper)
		switch {
		case err == nil:
			errs = append(errs, ln.Close(), removeFile(spec.Path))
		case !errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Sockets returns the sockets in force, in no particular order.
func (s *Set) Sockets() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Socket, 0, len(s.sockets))
	for _, socket := range s.sockets {
		list = append(list, socket)
	}
	return list
}

// Stop suspends accepting and waits until no Accept callback is running any more. The sockets stay open: the kernel goes on
// queueing connections for whoever shares them, or for [Set.Resume].
func (s *Set) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	var errs []error
	for _, socket := range s.sockets {
		for _, l := range socket.lanes {
			errs = append(errs, l.halt())
		}
	}
	s.flush()
	return errors.Join(errs...)
}

// flush hands over the connections that are held back.
func (s *Set) flush() {
	if s.deferral != nil {
		s.deferral.flush()
	}
}

// Resume takes up accepting after [Set.Stop].
func (s *Set) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = false
	for _, socket := range s.sockets {
		s.run(socket)
	}
}

// Close closes every socket for good and removes the files of unix sockets, unless they were handed on to a successor.
// Accepted connections live on.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	errs := []error{s.dropInherited(), s.reaper.end()}
	for name, socket := range s.sockets {
		errs = append(errs, socket.close(!s.handedOn))
		delete(s.sockets, name)
	}
	if s.deferral != nil {
		errs = append(errs, s.deferral.end())
	}
	return errors.Join(errs...)
}

func (s *Set) run(socket *Socket) {
	if s.deferral == nil {
		var err error
		if s.deferral, err = newDeferral(s.config.Accept); err != nil {
			s.report(err) // connections are handed over at once, then
		}
	}
	accept := s.config.Accept
	if s.deferral != nil {
		accept = s.deferral.take
	}
	for _, l := range socket.lanes {
		l.run(socket, accept, s.report)
	}
}

func (s *Set) report(err error) {
	if s.config.Report != nil {
		s.config.Report(err)
	}
}

// lanesFor returns how many descriptors an address shall have.
func (s *Set) lanesFor(spec *Spec) int {
	if spec.Options.ReusePort && spec.Path == "" {
		return s.config.Lanes
	}
	return 1
}
