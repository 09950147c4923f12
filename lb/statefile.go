package lb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/durable"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/upstream"
)

// stateFile is the file with the servers of an upstream that are changed at run
// time, as `state` names it.
type stateFile struct {
	name string

	mu   sync.Mutex
	text []byte // what the file says
}

// newStateFile returns the state file of an upstream, nil if it has none. The
// file need not be there yet, but its folder must.
func newStateFile(u *config.Upstream) (*stateFile, error) {
	if u.State == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Dir(u.State)); err != nil {
		return nil, fmt.Errorf("open() %q failed (%s)", u.State, errno.Text(err))
	}
	s := &stateFile{name: u.State}
	for i := range u.Servers {
		s.text = config.AppendServer(s.text, &u.Servers[i])
	}
	return s, nil
}

// save writes the lines where they are others than those in the file, which is
// replaced as a whole: a reader finds it as it was or as it is.
func (s *stateFile) save(lines []upstream.Server) error {
	var text []byte
	for i := range lines {
		text = config.AppendServer(text, serverLine(&lines[i]))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(text, s.text) {
		return nil
	}
	if err := durable.WriteFile(s.name, text, 0o644); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	s.text = text
	return nil
}

// serverLine translates a server back.
func serverLine(s *upstream.Server) *config.UpstreamServer {
	return &config.UpstreamServer{
		Address: s.Name, Service: s.Question.Service, Resolve: s.Question != upstream.Question{},
		Weight: s.Weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails, FailTimeout: s.FailTimeout, SlowStart: s.SlowStart,
		Route: s.Route, Backup: s.Backup, Down: s.Down, Drain: s.Drain,
	}
}
