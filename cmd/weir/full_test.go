package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

// TestDiskFull: temporary files that the disk has no room for. A body that
// cannot be kept is a 500; a reply that cannot be put aside still reaches a
// client that takes its time. Both are told, and weir serves on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	program.Root(t)
	unshare := program.Need(t, "unshare")
	s := newSite(t)
	full := filepath.Join(s.dir, "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	const size = 16 << 20
	peer, err := net.Listen("unix", filepath.Join(s.dir, "peer"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	go http.Serve(peer, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:errcheck // it ends with the listener
		w.Write(bytes.Repeat([]byte("x"), size)) //nolint:errcheck // the client may have gone
	}))
	s.write("one", "", `client_max_body_size 0; client_body_buffer_size 8k; client_body_temp_path DIR/full/body;
		proxy_temp_path DIR/full/proxy; proxy_buffer_size 4k; proxy_buffers 2 4k; proxy_busy_buffers_size 4k;
		location /up { proxy_pass http://unix:DIR/peer; }`)
	s.startBy(unshare, "-m", "sh", "-c", `mount -t tmpfs -o size=64k none "$0" && exec "$@"`, full)

	reply, err := s.client.Post("http://weir/up", "text/plain", bytes.NewReader(make([]byte, 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if reply.Body.Close(); reply.StatusCode != 500 {
		t.Errorf("a body that cannot be kept: %s", reply.Status)
	}
	s.logs("[crit]")
	s.logs("(28: No space left on device)")
	writeFile(t, s.log, "")

	if reply, err = s.client.Get("http://weir/up"); err != nil {
		t.Fatal(err)
	}
	s.logs("(28: No space left on device) while reading upstream") // nothing was read so far
	if n, err := io.Copy(io.Discard, reply.Body); n != size || err != nil {
		t.Errorf("%d bytes of the reply came: %v", n, err)
	}
	reply.Body.Close()
	if got := s.get(); got != "one" {
		t.Errorf("afterwards: %q", got)
	}
	s.signal("quit")
	s.end()
}
