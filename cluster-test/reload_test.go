package clustertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

const (
	keepaliveClients = 64
	webSockets       = 50
	reloadEvery      = 200 * time.Millisecond
)

// traffic counts what clients saw until they were told to stop.
type traffic struct {
	requests, echoes atomic.Int64
	generation       atomic.Int64 // the newest seen

	mu   sync.Mutex
	lost []string
}

func (tr *traffic) lose(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lost = append(tr.lost, fmt.Sprintf(format, args...))
}

// keepalive makes one request after the other on one connection, which must never be closed.
func (tr *traffic) keepalive(ctx context.Context, addr string, client int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tr.lose("client %d: %v", client, err)
		return
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for n := 0; ctx.Err() == nil; n++ {
		conn.SetDeadline(time.Now().Add(limit))
		if _, err := io.WriteString(conn, "GET /webapp/health HTTP/1.1\r\nHost: weir\r\n\r\n"); err != nil {
			tr.lose("client %d, request %d: %v", client, n, err)
			return
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			tr.lose("client %d, request %d: %v", client, n, err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "ok ") || resp.Close {
			tr.lose("client %d, request %d: %s %q close=%v %v", client, n, resp.Status, body, resp.Close, err)
			return
		}
		tr.requests.Add(1)
		tr.see(resp.Header.Get("X-Generation"))
	}
}

// see remembers the newest generation.
func (tr *traffic) see(field string) {
	var n int64
	if _, err := fmt.Sscan(field, &n); err != nil {
		tr.lose("X-Generation %q: %v", field, err)
		return
	}
	for old := tr.generation.Load(); n > old && !tr.generation.CompareAndSwap(old, n); old = tr.generation.Load() {
	}
}

// echo sends one message after the other through one WebSocket.
func (tr *traffic) echo(ctx context.Context, addr string, client int) {
	// A text frame, masked with zeros, and what comes back.
	const message, reply = "\x81\x84\x00\x00\x00\x00ping", "\x81\x04ping"
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tr.lose("socket %d: %v", client, err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "GET /wstunnel/ HTTP/1.1\r\nHost: weir\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		tr.lose("socket %d: handshake %v %v", client, resp, err)
		return
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	buf := make([]byte, len(reply))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		conn.SetDeadline(time.Now().Add(limit))
		if _, err := io.WriteString(conn, message); err != nil {
			tr.lose("socket %d: %v", client, err)
			return
		}
		if _, err := io.ReadFull(r, buf); err != nil || string(buf) != reply {
			tr.lose("socket %d: %q %v", client, buf, err)
			return
		}
		tr.echoes.Add(1)
	}
}

// reloadUnderTraffic reloads for a while, reports everything that was lost, and tells what was done.
func reloadUnderTraffic(t *testing.T, d time.Duration) (figures string) {
	b := startBinary(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var tr traffic
	var clients sync.WaitGroup
	for i := range keepaliveClients {
		clients.Go(func() { tr.keepalive(ctx, b.addr, i) })
	}
	for i := range webSockets {
		clients.Go(func() { tr.echo(ctx, b.addr, i) })
	}
	reloads := 0
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-tick.C
		reloads++
		b.write(t, reloads)
		b.Signal(syscall.SIGHUP)
	}
	err := b.Await(ctx, limit, func() error {
		if seen := tr.generation.Load(); seen != int64(reloads) {
			return fmt.Errorf("generation %d of %d is seen", seen, reloads)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	cancel()
	clients.Wait()
	for i, lost := range tr.lost {
		if i < 10 {
			t.Error("lost:", lost)
		}
	}
	if len(tr.lost) > 0 || tr.requests.Load() < keepaliveClients || tr.echoes.Load() < webSockets {
		t.Errorf("%d lost; %d requests, %d echoes, %d reloads%s", len(tr.lost), tr.requests.Load(), tr.echoes.Load(), reloads,
			process.LastLines(filepath.Join(b.dir, "error.log"), 5))
	}
	figures = fmt.Sprintf("%d reloads in %v, %d requests over %d connections and %d echoes over %d WebSockets: %d lost",
		reloads, d, tr.requests.Load(), keepaliveClients, tr.echoes.Load(), webSockets, len(tr.lost))
	t.Log(figures)
	b.oldGenerationsEnd(t)
	return figures
}

// oldGenerationsEnd waits for the notice that each old generation gives when its last request is done. Orders to reload
// that come while one is being done lead to one generation.
func (b *binary) oldGenerationsEnd(t *testing.T) {
	t.Helper()
	err := b.Await(t.Context(), limit, func() error {
		text, err := os.ReadFile(filepath.Join(b.dir, "error.log"))
		if err != nil {
			return err
		}
		// The first generation has nothing to say of its beginning: each notice of another one is about the end of one.
		old := strings.Count(string(text), " serves\n")
		if n := strings.Count(string(text), "exited with code 0"); n != old || old == 0 {
			return fmt.Errorf("%d of %d old generations have ended", n, old)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestReloadLosesNothing reloads under keepalive connections and WebSockets: no request, no connection and no tunnel may
// be lost.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	reloadUnderTraffic(t, 2*time.Second)
}

// TestMeasureReloads is the same for half a minute.
func TestMeasureReloads(t *testing.T) {
	program.Measure(t)
	measured.Record(t, "reloads under traffic", 1, reloadUnderTraffic(t, 30*time.Second))
}
