package health

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
)

// TestGRPCBody compares the message with what protocol buffers make of it.
func TestGRPCBody(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]string{
		"":          "0000000000",
		"app.Store": "000000000b0a096170702e53746f7265",
	} {
		if got := hex.EncodeToString(GRPCBody(service)); got != want {
			t.Errorf("%q: %s, want %s", service, got, want)
		}
	}
}

// TestGRPCState reads messages of all kinds.
func TestGRPCState(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"0000000000": 0, "00000000020801": 1, "00000000020802": 2,
		"0000000006120261620801": 1, // a field of a later version
		"00000000041801080 3":    3,
	} {
		body, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := grpcState(body); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "00", "00000000030801", "01000000020801", "000000000108", "00000000020d01", "0000000002120 9", "0000000001ff", "000000000208010000000000"} {
		body, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if state, err := grpcState(body); !errors.Is(err, errMessage) {
			t.Errorf("%s: %d, %v", text, state, err)
		}
	}
}

func FuzzGRPCState(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &request.Request{}
		r.Reset(&request.Conn{}, 0)
		r.Attempts = append(r.Attempts, request.Attempt{Status: 200})
		r.Upstream.AddText("grpc-status", "0")
		if why, detail := (GRPCAnswer{}).Test(r, body); why == ReasonNone && (len(body) < 7 || detail != "") {
			t.Errorf("%x passed", body)
		}
	})
}

// grpcServer speaks HTTP/2 without TLS and answers calls of the health service.
func grpcServer(t *testing.T, handle http.HandlerFunc) upstream.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: handle, Protocols: &p}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return upstream.Addr{AddrPort: ln.Addr().(*net.TCPAddr).AddrPort()}
}

// TestGRPCProbe asks servers about the service app.Store.
func TestGRPCProbe(t *testing.T) {
	t.Parallel()
	message := func(hexText, status string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method != "POST" || r.URL.Path != GRPCPath || r.Header.Get("Content-Type") != "application/grpc" || !bytes.Equal(body, GRPCBody("app.Store")) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Header().Set("Trailer", "Grpc-Status")
			reply, _ := hex.DecodeString(hexText)
			_, _ = w.Write(reply)
			w.Header().Set("Grpc-Status", status)
		}
	}
	failed := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Grpc-Status", "12") }
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		status int
		want   string
	}{
		"serving":                  {message("00000000020801", "0"), 0, "none"},
		"not serving":              {message("00000000020802", "0"), 0, "service: NOT_SERVING"},
		"unknown service":          {message("00000000020803", "0"), 0, "service: SERVICE_UNKNOWN"},
		"of a later version":       {message("00000000020809", "0"), 0, "service: serving status 9"},
		"not found":                {message("", "5"), 0, "status: grpc-status 5"},
		"unimplemented":            {failed, 0, "status: grpc-status 12"},
		"unimplemented, as wanted": {failed, 12, "none"},
		"serving, against wishes":  {message("00000000020801", "0"), 12, "status: grpc-status 0"},
		"garbage":                  {message("0000000002", "0"), 0, "malformed: upstream sent an invalid health message"},
		"no status":                {func(http.ResponseWriter, *http.Request) {}, 0, "malformed: upstream sent no grpc-status"},
		"an error page":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 0, "status: 503"},
		"silent":                   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, "timeout"},
		"breaks off":               {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := question(t, "")
			q.HTTP2, q.Body, q.Answer = true, GRPCBody("app.Store"), GRPCAnswer{tt.status}
			q.Head = []byte("POST " + GRPCPath + " HTTP/1.1\r\nHost: u\r\nContent-Type: application/grpc\r\nTE: trailers\r\n\r\n")
			if tt.want == "timeout" {
				q.Read = 200 * time.Millisecond
			}
			p := at(t, grpcServer(t, tt.handle), &Check{})
			for range 2 {
				if got := q.Probe(t.Context(), p).words(); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s, want %s", got, tt.want)
				}
			}
		})
	}
	if f := question(t, ""); f != nil {
		f.HTTP2 = true
		addr, _ := serve(t, says("HTTP/1.1 200 OK\r\n\r\n"))
		if got := f.Probe(t.Context(), at(t, upstream.Addr{AddrPort: addr}, &Check{})); got.Passed() {
			t.Error("a server of HTTP/1 passed")
		}
	}
}
