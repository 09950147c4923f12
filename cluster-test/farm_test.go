package clustertest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// farm is weir in front of Node.js servers that hold what they know in their memory. Servers are added, drained and
// removed by reloads; they are killed and started again as processes are.
type farm struct {
	*binary
	t          *testing.T
	servers    []*farmServer
	generation int
	loose      bool // clients are not tied to servers
}

// farmServer is one of the servers.
type farmServer struct {
	*process.Process
	name, addr, script string
	raised             time.Time // when it was started last
	listed, draining   bool      // in weir's configuration
}

// newFarm starts servers of a script, of which the first listed ones are in the configuration, and weir.
func newFarm(t *testing.T, script string, servers, listed int) *farm {
	t.Helper()
	f := &farm{binary: &binary{dir: t.TempDir()}, t: t}
	f.addr = freeAddress(t)
	for i := range servers {
		s := &farmServer{name: fmt.Sprint("n", i+1), addr: freeAddress(t), script: script, listed: i < listed}
		f.servers = append(f.servers, s)
		f.raise(s)
	}
	key := strings.Repeat("0123456789abcdef", 4)
	if err := os.WriteFile(filepath.Join(f.dir, "sticky.key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	f.put(t, f.text())
	f.start(t)
	return f
}

// raise starts a server that does not run.
func (f *farm) raise(s *farmServer) {
	f.t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	s.Process, err = process.Start(process.Options{
		Name: s.name, Program: program.Need(f.t, "node"), Args: []string{s.script},
		Env: []string{"HOST=" + host, "PORT=" + port, "NAME=" + s.name}, Log: filepath.Join(f.dir, s.name+".output"),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	p := s.Process
	f.t.Cleanup(func() { p.Stop(syscall.SIGKILL, time.Second) })
	if err := p.Await(f.t.Context(), limit, func() error { return answers(s.addr) }); err != nil {
		f.t.Fatal(err)
	}
	s.raised = time.Now()
}

// failTimeout is how long weir leaves a server alone that has failed.
const failTimeout = time.Second

// usable tells whether new clients can be sent to a server: none that was dead a moment ago.
func (s *farmServer) usable() bool {
	return s.listed && !s.draining && time.Since(s.raised) > 3*failTimeout
}

// kill ends a server as a power failure does.
func (f *farm) kill(s *farmServer) { s.Stop(syscall.SIGKILL, limit) }

// reload puts what listed and draining say in force.
func (f *farm) reload() {
	f.t.Helper()
	f.generation++
	f.put(f.t, f.text())
	f.Signal(syscall.SIGHUP)
	err := f.Await(f.t.Context(), limit, func() error {
		log, err := os.ReadFile(filepath.Join(f.dir, "error.log"))
		if want := fmt.Sprintf("generation %d serves", f.generation+1); err == nil && !strings.Contains(string(log), want) {
			return fmt.Errorf("the log does not say that %s", want)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// text is the configuration.
func (f *farm) text() string {
	var lines string
	for _, s := range f.servers {
		switch {
		case s.listed && s.draining:
			lines += fmt.Sprintf("server %s fail_timeout=%s drain;\n", s.addr, failTimeout)
		case s.listed:
			lines += fmt.Sprintf("server %s fail_timeout=%s;\n", s.addr, failTimeout)
		}
	}
	if !f.loose {
		lines += "sticky cookie srv_id expires=1h path=/;"
	}
	return fmt.Sprintf(`error_log error.log notice;
pid weir.pid;
events {}
http {
    access_log off;
    sticky_key sticky.key;
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream farm {
        %s
    }
    server {
        listen %s;
        location / {
            proxy_pass http://farm;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
    }
}
`, lines, f.addr)
}
