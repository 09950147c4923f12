package clustertest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/lb/lbtest"
)

// startNodeHTTP2 runs Node.js's own HTTP/2 server.
func startNodeHTTP2(t *testing.T) (addr string) {
	t.Helper()
	addr = freeAddress(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(process.Options{
		Name: "node", Program: program.Need(t, "node"), Args: []string{filepath.Join("testdata", "h2server.js")},
		Env: []string{"HOST=" + host, "PORT=" + port}, Log: filepath.Join(t.TempDir(), "node.output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(syscall.SIGKILL, time.Second) })
	if err := p.Await(t.Context(), limit, func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestNodeOverHTTP2: many clients of HTTP/1.1 and HTTP/2, few connections to a Node.js server.
func TestNodeOverHTTP2(t *testing.T) {
	t.Parallel()
	addr := startNodeHTTP2(t)
	b := lbtest.Start(t, "error_log stderr info; events {} http { access_log off; client_max_body_size 0; server { listen 127.0.0.1:8080; http2 on; "+
		"location / { proxy_pass http://"+addr+"; proxy_http_version 2; proxy_pass_trailers on; } "+
		"location /pass { proxy_request_buffering off; proxy_pass http://"+addr+"; proxy_http_version 2; proxy_pass_trailers on; } } }")
	url := "http://" + b.Addr("127.0.0.1:8080")
	var plain, multiplexed http.Protocols
	plain.SetHTTP1(true)
	multiplexed.SetUnencryptedHTTP2(true)
	ports := sync.Map{}
	for _, protocols := range []*http.Protocols{&plain, &multiplexed} {
		client := &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: limit}
		t.Cleanup(client.CloseIdleConnections)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				body := bytes.Repeat([]byte{byte(i)}, i*i*100)
				r, err := client.Post(url+[]string{"/", "/pass"}[i%2], "text/plain", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				text, _ := io.ReadAll(r.Body)
				size, port, _ := strings.Cut(string(text), " ")
				ports.Store(port, true)
				if r.StatusCode != 200 || size != fmt.Sprint(len(body)) || len(r.Header["Set-Cookie"]) != 2 ||
					r.Header.Get("X-Authority") != addr || r.Trailer.Get("X-Sum") != fmt.Sprintf("%x", sha256.Sum256(body)) {
					t.Errorf("%s %s: %s %v %v", r.Proto, r.Status, text, r.Header, r.Trailer)
				}
			})
		}
		all.Wait()
		r, err := client.Get(url + "/large")
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r.Body)
		if n != 4<<20 || err != nil {
			t.Errorf("large: %d bytes, %v", n, err)
		}
		_ = r.Body.Close()
		if r, err = client.Get(url + "/refused"); err != nil || r.StatusCode != 502 {
			t.Errorf("refused: %v %v", r, err)
		}
	}
	n := 0
	ports.Range(func(any, any) bool { n++; return true })
	if n > 2 {
		t.Errorf("%d connections to the server", n)
	}
}
