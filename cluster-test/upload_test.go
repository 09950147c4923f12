package clustertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// peakMemory returns the most resident memory that a process has had, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no peak in %s", text)
	}
	kB, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kB << 10
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// upload sends a long body over HTTP/2 through weir, buffered and not, and returns what weir's memory has grown by.
func upload(t *testing.T, size int64) (grown int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	}))
	t.Cleanup(server.Close)
	b := &binary{dir: t.TempDir(), addr: freeAddress(t)}
	b.put(t, fmt.Sprintf(`error_log error.log; pid weir.pid; events {} http { access_log off; client_max_body_size 0;
		client_body_temp_path %s; server { listen %s; http2 on;
			location / { proxy_pass %s; } location /straight { proxy_request_buffering off; proxy_pass %[3]s; } } }`,
		filepath.Join(b.dir, "body"), b.addr, server.URL))
	b.start(t)
	before := peakMemory(t, b.ID())
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/straight", "/"} {
		resp, err := client.Post("http://"+b.addr+path, "application/octet-stream", io.LimitReader(zeros{}, size))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprint(size, " <nil>"); resp.ProtoMajor != 2 || strings.TrimSpace(string(body)) != want {
			t.Errorf("%s: %s %s, %q, want %q, %v", path, resp.Proto, resp.Status, body, want, err)
		}
	}
	return peakMemory(t, b.ID()) - before
}

// uploadBound is how much memory an upload may cost, however long it is.
const uploadBound = 24 << 20

// TestUploadTakesLittleMemory sends a body several times as long as the memory it may take.
func TestUploadTakesLittleMemory(t *testing.T) {
	t.Parallel()
	grown := upload(t, 6*uploadBound)
	t.Logf("%.1f MB", float64(grown)/(1<<20))
	if grown > uploadBound {
		t.Errorf("an upload of %d MB took %d MB", 6*uploadBound>>20, grown>>20)
	}
}

// TestMeasureUpload sends 1 GB.
func TestMeasureUpload(t *testing.T) {
	program.Measure(t)
	grown := upload(t, 1<<30)
	if grown > uploadBound {
		t.Errorf("an upload took %d MB", grown>>20)
	}
	measured.Record(t, "1 GB is sent over HTTP/2, buffered and not", 2, fmt.Sprintf("weir's memory grew by %.1f MB", float64(grown)/(1<<20)))
}
