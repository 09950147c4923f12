package clustertest

import (
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/examples/app"
)

// built is the program as make builds it, made once for all tests.
type built struct {
	once sync.Once
	dir  string
	err  error
}

var weirProgram built

// TestMain runs twice as many tests at a time as is usual, since they wait for other processes most of the time, unless the
// command line says how many. In the end it removes what all tests have shared.
func TestMain(m *testing.M) {
	flag.Parse()
	const parallel = "test.parallel"
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == parallel })
	if !said {
		if err := flag.Set(parallel, strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(weirProgram.dir) // nothing, or of our own making
	os.Exit(code)
}

// buildWeir builds the program as make does, from what that has compiled, and returns its path.
func buildWeir(t *testing.T) string {
	t.Helper()
	compiler := program.Need(t, "go")
	weirProgram.once.Do(func() { weirProgram.err = weirProgram.build(compiler) })
	if weirProgram.err != nil {
		t.Fatal(weirProgram.err)
	}
	return filepath.Join(weirProgram.dir, "weir")
}

func (b *built) build(compiler string) (err error) {
	if b.dir, err = os.MkdirTemp("", "weir"); err != nil {
		return err
	}
	build := exec.Command(compiler, "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(b.dir, "weir"), "./cmd/weir")
	build.Dir = top
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return os.Chmod(b.dir, 0o755) // others than root run it, too
}

// binary is weir as a process of its own, in front of two example applications, with a configuration that changes.
type binary struct {
	*process.Process
	dir, addr string
	servers   []string // addresses
}

// startBinary builds and starts weir with generation 0 of its configuration.
func startBinary(t *testing.T) *binary {
	t.Helper()
	b := &binary{dir: t.TempDir()}
	for _, name := range []string{"one", "two"} {
		server := httptest.NewServer(app.New(name))
		t.Cleanup(server.Close)
		b.servers = append(b.servers, strings.TrimPrefix(server.URL, "http://"))
	}
	b.addr = freeAddress(t)
	b.write(t, 0)
	b.start(t)
	return b
}

// start runs weir with the configuration that was written.
func (b *binary) start(t *testing.T) {
	t.Helper()
	var err error
	b.Process, err = process.Start(process.Options{
		Name: "weir", Program: buildWeir(t), Args: []string{"-p", b.dir, "-c", b.conf()}, Log: filepath.Join(b.dir, "output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(syscall.SIGTERM, limit) })
	if err = b.Await(t.Context(), limit, func() error { return answers(b.addr) }); err != nil {
		t.Fatal(err)
	}
}

// answers tells whether connections to an address are accepted.
func answers(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err
}

func (b *binary) conf() string { return filepath.Join(b.dir, "weir.conf") }

// write puts a generation of the configuration in the place of the last one. Every second one has a server more and
// another balancing method.
func (b *binary) write(t *testing.T, generation int) {
	t.Helper()
	extra := ""
	if generation%2 == 1 {
		extra = "least_conn; server " + b.servers[0] + " weight=2;"
	}
	text := fmt.Sprintf(`worker_processes 2;
error_log error.log notice;
pid weir.pid;
events {}
http {
    access_log access.log;
    keepalive_requests 100000000;
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream servers { %s server %s; server %s; }
    server {
        listen %s;
        add_header X-Generation %d always;
        location / {
            proxy_pass http://servers;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
    }
}
`, extra, b.servers[0], b.servers[1], b.addr, generation)
	b.put(t, text)
}

// put puts a configuration in the place of the last one.
func (b *binary) put(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(b.conf()+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.conf()+".new", b.conf()); err != nil {
		t.Fatal(err)
	}
}
