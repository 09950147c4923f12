package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

// writeCache makes a configuration with a cache in DIR/cache, and a server
// behind it that answers with 1 KB, and below /large with 32.
func (s *site) writeCache(main string) {
	s.t.Helper()
	peer, err := net.Listen("unix", filepath.Join(s.dir, "back"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { peer.Close() })
	if err := os.Chmod(filepath.Join(s.dir, "back"), 0o777); err != nil {
		s.t.Fatal(err)
	}
	go http.Serve(peer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:errcheck // it ends with the listener
		size := 1 << 10
		if strings.HasPrefix(r.URL.Path, "/large") {
			size = 32 << 10
		}
		w.Write(bytes.Repeat([]byte("x"), size)) //nolint:errcheck // weir tells what it got
	}))
	writeFile(s.t, s.conf, strings.NewReplacer("DIR", s.dir, "MAIN", main).Replace(`MAIN
pid DIR/weir.pid;
error_log DIR/error.log notice;
events {}
http {
    access_log off;
    proxy_temp_path DIR/proxy;
    proxy_cache_path DIR/cache/deep levels=1:2 keys_zone=c:1m use_temp_path=off;
    server {
        listen unix:DIR/socket;
        location / {
            proxy_pass http://unix:DIR/back;
            proxy_cache c;
            proxy_cache_valid 1h;
            add_header X-Cache $upstream_cache_status;
        }
    }
}
`))
}

// fetch returns how the cache answered, and the length of the reply.
func (s *site) fetch(path string) (status string, length int) {
	s.t.Helper()
	reply, err := s.client.Get("http://weir" + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		s.t.Errorf("%s: %s, %v", path, reply.Status, err)
	}
	return reply.Header.Get("X-Cache"), len(body)
}

// wants compares how the cache answers.
func (s *site) wants(path, status string, length int) {
	s.t.Helper()
	if got, n := s.fetch(path); got != status || n != length {
		s.t.Errorf("%s: %s, %d bytes; not %s, %d bytes", path, got, n, status, length)
	}
}

// TestUserOwnsCache: the directory of a cache, below one that only root may
// write, is made and given to the user before weir turns into it.
func TestUserOwnsCache(t *testing.T) {
	t.Parallel()
	program.Root(t)
	s := newSite(t)
	if err := os.Mkdir(filepath.Join(s.dir, "cache"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.writeCache("user nobody;")
	s.start()
	s.wants("/", "MISS", 1<<10)
	s.wants("/", "HIT", 1<<10)
	info, err := os.Stat(filepath.Join(s.dir, "cache/deep"))
	if err != nil {
		t.Fatal(err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 65534 || info.Mode().Perm() != 0o700 {
		t.Errorf("%v", info)
	}
	s.signal("quit")
	s.end()
	if log := s.read(s.log); strings.Contains(log, "[crit]") {
		t.Error(log)
	}
}

// TestCacheDiskFull: a cache on a disk without room. Requests are answered, and
// the log has one line of it until there is room again.
func TestCacheDiskFull(t *testing.T) {
	t.Parallel()
	program.Root(t)
	unshare := program.Need(t, "unshare")
	s := newSite(t)
	disk := filepath.Join(s.dir, "cache")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	s.writeCache("")
	s.startBy(unshare, "-m", "sh", "-c", `mount -t tmpfs -o size=64k none "$0" && exec "$@"`, disk)
	s.wants("/", "MISS", 1<<10)
	s.wants("/large/1", "MISS", 32<<10)
	for _, path := range []string{"/large/2", "/large/3", "/large/2"} {
		s.wants(path, "MISS", 32<<10)
	}
	s.logs("(28: No space left on device)")
	s.wants("/", "HIT", 1<<10)
	s.wants("/large/1", "HIT", 32<<10)
	if n := strings.Count(s.read(s.log), "No space left"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, s.read(s.log))
	}
	s.wants("/small", "MISS", 1<<10) // for which there is room
	s.wants("/small", "HIT", 1<<10)
	s.logs("writing files works again")
}
