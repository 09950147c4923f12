package lb_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/lb/lbtest"
)

// nginx is a running nginx with the configuration of a script.
type nginx struct {
	t     *testing.T
	ports map[string]string // as written → as bound
	log   [2]*lbtest.Log
}

// startNginx runs nginx until the test ends.
func startNginx(t *testing.T, dir, conf string) *nginx {
	n := &nginx{t: t, ports: map[string]string{}}
	head := "daemon off; master_process off; pid nginx.pid; error_log error.log info;\n"
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += kind + "_temp_path " + kind + ";\n"
	}
	conf = regexp.MustCompile(`proxy_cache_rfc \w+;`).ReplaceAllString(conf, "") // its own way is off
	conf = head + strings.Replace(conf, "http {", "http {\n"+temp, 1)
	for _, port := range []string{"8080", "8081", "8082", "8443"} {
		real := loopback.Free(t).String()
		n.ports["127.0.0.1:"+port] = real
		conf = strings.ReplaceAll(conf, "127.0.0.1:"+port, real)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		cmd.Wait()
		if t.Failed() || testing.Verbose() {
			t.Log(n.errors())
		}
	})
	n.log = [2]*lbtest.Log{lbtest.FileLog(filepath.Join(dir, "error.log")), lbtest.FileLog(filepath.Join(dir, "access.log"))}
	lbtest.Await(t, func() bool {
		conn, err := net.Dial("tcp", n.Addr(front))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, func() string { return "nginx does not listen" })
	return n
}

func (n *nginx) Addr(written string) string { return n.ports[written] }

func (n *nginx) Dial(written string) *lbtest.Client {
	conn, err := net.Dial("tcp", n.Addr(written))
	if err != nil {
		n.t.Fatal(err)
	}
	return lbtest.NewClient(n.t, conn)
}

func (n *nginx) errors() *lbtest.Log { return n.log[0] }
func (n *nginx) access() *lbtest.Log { return n.log[1] }
