package lb_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// closingServer takes a request's head and a part of its body, and then closes
// every connection.
func closingServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for seen := []byte{}; len(seen) < 4 || string(seen[len(seen)-4:]) != "\r\n\r\n"; {
				one := make([]byte, 1)
				if _, err := c.Read(one); err != nil {
					break
				}
				seen = append(seen, one...)
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// A client that is still sending its body gets its answer when the upstream
// has failed, or the body is too large.
func TestAnswerAmidUpload(t *testing.T) {
	t.Parallel()
	b := startH2(t, "proxy_request_buffering off; location / { proxy_pass http://"+closingServer(t)+"; } "+
		"location /large { client_max_body_size 10; proxy_pass http://"+patientServer(t)+"; }")
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		tr := &http.Transport{ForceAttemptHTTP2: protocol == "HTTP/2.0", TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		t.Cleanup(tr.CloseIdleConnections)
		for path, want := range map[string]int{"/": 502, "/large": 413} {
			body, more := io.Pipe()
			go func() {
				_, _ = io.WriteString(more, "more than ten bytes")
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			context.AfterFunc(ctx, func() { _ = more.CloseWithError(io.ErrClosedPipe) }) // a client without an answer waits for its body
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+b.Addr("127.0.0.1:8443")+path, body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Errorf("%s %s: %v", protocol, path, err)
			} else if res.StatusCode != want || res.Proto != protocol {
				t.Errorf("%s %s: %s %s, want %d", protocol, path, res.Proto, res.Status, want)
			}
			if err == nil {
				_ = res.Body.Close()
			}
			cancel()
		}
	}
}

// patientServer takes all that comes and says nothing.
func patientServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}
