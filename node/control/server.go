package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// MaxBody is the size of the largest request body, in bytes.
const MaxBody = 64 << 10

// Options say how to serve.
type Options struct {
	Path string // of the socket
	Node Node
	// Log hears of refused users and of faults, one line each.
	Log func(text string)
}

// Socket is a control socket that is served.
type Socket struct {
	o    Options
	door *door
	http *http.Server
	done sync.WaitGroup
}

// Open makes the socket. Only root and the user of this process may connect;
// they wait until Serve.
func Open(o Options) (*Socket, error) {
	l, err := listen(o.Path)
	if err != nil {
		return nil, err
	}
	owner := os.Geteuid()
	s := &Socket{o: o, door: &door{l, func(uid int) bool { return uid == 0 || uid == owner }, func(user string) {
		o.Log(fmt.Sprintf("control socket: user %q may not use it", user))
	}}}
	s.http = &http.Server{
		Handler: s.routes(), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // of broken connections; the handlers tell of faults themselves
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if v, ok := c.(*visit); ok {
				ctx = context.WithValue(ctx, userKey{}, v.user)
			}
			return ctx
		},
	}
	return s, nil
}

// Serve begins to answer, until Close. It returns at once.
func (s *Socket) Serve() {
	s.done.Go(func() {
		if err := s.http.Serve(s.door); !errors.Is(err, http.ErrServerClosed) {
			s.o.Log(fmt.Sprintf("control socket: %v", err))
		}
	})
}

// closePatience is how long Close waits for errands that are being done.
const closePatience = time.Second

// Close removes the socket, and waits a moment for what is being done.
func (s *Socket) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.done.Wait()
	return errors.Join(err, s.door.close()) // it may never have been served
}

// userKey is where the context of a request has the user's name.
type userKey struct{}

// errand does what a request asks for: it returns the HTTP status of success
// and what is to be told, or an error.
type errand func(w http.ResponseWriter, r *http.Request) (status int, answer any, err error)

// routes returns all that can be asked.
func (s *Socket) routes() http.Handler {
	mux := http.NewServeMux()
	known := map[string][]string{} // methods by path
	for _, route := range []struct {
		method, path string
		do           errand
	}{
		{"GET", "/v1/status", s.status},
		{"GET", "/v1/members", s.members},
		{"DELETE", "/v1/members/{node}", s.removeNode},
		{"GET", "/v1/upstreams", s.upstreams},
		{"GET", "/v1/upstreams/{upstream}", s.upstream},
		{"POST", "/v1/upstreams/{upstream}/servers", s.addServer},
		{"PATCH", "/v1/upstreams/{upstream}/servers/{server}", s.editServer},
		{"DELETE", "/v1/upstreams/{upstream}/servers/{server}", s.removeServer},
		{"GET", "/v1/requests/{request}", s.request},
		{"POST", "/v1/cluster/transfer", s.transfer},
		{"POST", "/v1/cluster/leave", s.leave},
		{"POST", "/v1/cluster/recover", s.recover},
		{"POST", "/v1/cluster/keys/rotate", s.rotate},
	} {
		mux.HandleFunc(route.method+" "+route.path, s.handler(route.do))
		known[route.path] = append(known[route.path], route.method)
	}
	for path, methods := range known {
		mux.HandleFunc(path, s.handler(func(w http.ResponseWriter, r *http.Request) (int, any, error) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			return 0, nil, &Failure{Code: MethodNotAllowed, Text: fmt.Sprintf("%q takes %s, not %s", r.URL.Path, strings.Join(methods, " and "), r.Method)}
		}))
	}
	mux.HandleFunc("/", s.handler(func(_ http.ResponseWriter, r *http.Request) (int, any, error) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			return 0, nil, &Failure{Code: UnsupportedVersion, Text: fmt.Sprintf("%q: this version of weir has /v1/", r.URL.Path)}
		}
		return 0, nil, &Failure{Code: NotFound, Text: fmt.Sprintf("nothing is at %q", r.URL.Path)}
	}))
	return mux
}

// handler does an errand and tells what came of it.
func (s *Socket) handler(do errand) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		status, answer, err := do(w, r)
		if err != nil {
			f := s.failure(r, err)
			if f.Code == NoQuorum {
				w.Header().Set("Retry-After", "2")
			}
			status, answer = f.Code.status(), failureBody{f}
		}
		writeJSON(w, status, answer)
	}
}

// failureBody is how a failure stands in a reply.
type failureBody struct {
	Error *Failure `json:"error"`
}

// failure makes one of any error. What is not meant for the caller is a fault of
// the node, and logged.
func (s *Socket) failure(r *http.Request, err error) *Failure {
	var f *Failure
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &large):
		return &Failure{Code: TooLarge, Text: fmt.Sprintf("more than %d bytes", MaxBody)}
	}
	s.o.Log(fmt.Sprintf("control socket: %s %q: %v", r.Method, r.URL.Path, err))
	return &Failure{Code: InternalError, Text: err.Error()}
}
