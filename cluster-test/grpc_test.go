package clustertest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weir-lb/weir/examples/selfsigned"
	"github.com/weir-lb/weir/lb/lbtest"
)

// bytesCodec sends messages as they are, so that these tests need no generated code.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(p []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), p...)
	return nil
}

func (bytesCodec) Name() string { return "proto" }

// greeter is a gRPC server; what it does is in the name of the method.
type greeter struct {
	*grpc.Server
	addr string
	came chan struct{} // a call that is not answered
	left chan struct{} // a call was given up
}

func startGreeter(t *testing.T, name string, options ...grpc.ServerOption) *greeter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &greeter{addr: l.Addr().String(), came: make(chan struct{}, 100), left: make(chan struct{}, 100)}
	serve := func(_ any, s grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(s)
		if err := s.SetHeader(metadata.Pairs("server-name", name)); err != nil {
			return err
		}
		s.SetTrailer(metadata.Pairs("x-end", "of "+method, "x-end-bin", "\x00\x01\xff"))
		return g.serve(s, method)
	}
	g.Server = grpc.NewServer(append(options, grpc.ForceServerCodec(bytesCodec{}), grpc.UnknownServiceHandler(serve),
		grpc.MaxRecvMsgSize(64<<20))...)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	return g
}

func (g *greeter) serve(s grpc.ServerStream, method string) error {
	var in []byte
	total := 0
	for {
		if method == "/t.T/Wait" || method == "/t.T/Early" {
			break
		}
		err := s.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			g.left <- struct{}{}
			return err
		}
		total += len(in)
		if method == "/t.T/Both" {
			if err := s.SendMsg(&in); err != nil {
				return err
			}
		}
	}
	switch method {
	case "/t.T/Unary":
		return s.SendMsg(&in)
	case "/t.T/Many":
		for range 1000 {
			if err := s.SendMsg(&in); err != nil {
				return err
			}
		}
	case "/t.T/Sum":
		sum := fmt.Appendf(nil, "%d", total)
		return s.SendMsg(&sum)
	case "/t.T/Fail":
		return status.Errorf(codes.NotFound, "no such thing: %s, 100 %% €", in)
	case "/t.T/Early":
		return status.Error(codes.ResourceExhausted, "enough")
	case "/t.T/Unavailable":
		return status.Error(codes.Unavailable, "later")
	case "/t.T/Wait":
		g.came <- struct{}{}
		<-s.Context().Done()
		g.left <- struct{}{}
		return s.Context().Err()
	}
	return nil
}

// dialGRPC connects a gRPC client.
func dialGRPC(t *testing.T, addr string, secure bool) *grpc.ClientConn {
	t.Helper()
	how := insecure.NewCredentials()
	if secure {
		how = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(how),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(64<<20)), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// call makes a call with one message each way.
func call(ctx context.Context, c *grpc.ClientConn, method string, in string, o ...grpc.CallOption) (string, error) {
	send, got := []byte(in), []byte(nil)
	err := c.Invoke(ctx, "/t.T/"+method, &send, &got, o...)
	return string(got), err
}

// grpcFront is a balancer that speaks HTTP/2, with a server of the directives given.
func grpcFront(t *testing.T, secure bool, groups, server string) *lbtest.Balancer {
	t.Helper()
	b := lbtest.New(t)
	listen := "listen 127.0.0.1:8080;"
	if secure {
		pair := certificate(t)
		b.Write("c.crt", string(pair.Certificate))
		b.Write("c.key", string(pair.Key))
		listen = "listen 127.0.0.1:8080 ssl; ssl_certificate " + b.Dir + "/c.crt; ssl_certificate_key " + b.Dir + "/c.key;"
	}
	text := "error_log stderr info; events {} http { access_log off; " + groups + " server { " + listen + " http2 on; client_max_body_size 0; " + server + " } }"
	if _, err := b.Reload(text); err != nil {
		t.Fatal(err)
	}
	return b
}

func certificate(t *testing.T) selfsigned.Pair {
	t.Helper()
	pair, err := selfsigned.Make(selfsigned.ECDSA, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func serverTLS(t *testing.T) grpc.ServerOption {
	t.Helper()
	pair := certificate(t)
	c, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return grpc.Creds(credentials.NewServerTLSFromCert(&c))
}

// TestGRPCCalls: every kind of call by Go's gRPC, over cleartext and over TLS on both sides.
func TestGRPCCalls(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			pass := "grpc://"
			var options []grpc.ServerOption
			if secure {
				pass, options = "grpcs://", append(options, serverTLS(t))
			}
			g := startGreeter(t, "one", options...)
			b := grpcFront(t, secure, "", "location / { grpc_pass "+pass+g.addr+"; } "+
				// The server does not hear of the client's deadline, lest it be the first to act on it.
				"location = /t.T/Wait { grpc_pass "+pass+g.addr+"; grpc_set_header grpc-timeout ''; }")
			c := dialGRPC(t, b.Addr("127.0.0.1:8080"), secure)
			unary(t, c)
			fromServer(t, c)
			fromClient(t, c)
			bothWays(t, c)
			failing(t, c)
			givenUp(t, c, g)
			large(t, c)
			manyAtOnce(t, c)
			if t.Failed() {
				t.Log(b.Errors)
			}
		})
	}
}

func unary(t *testing.T, c *grpc.ClientConn) {
	var head, trailer metadata.MD
	got, err := call(patient(t), c, "Unary", "hello", grpc.Header(&head), grpc.Trailer(&trailer))
	if err != nil || got != "hello" || fmt.Sprint(head["server-name"]) != "[one]" ||
		fmt.Sprint(trailer["x-end"]) != "[of /t.T/Unary]" || trailer["x-end-bin"][0] != "\x00\x01\xff" {
		t.Errorf("unary: %q %v, head %v, trailer %v", got, err, head, trailer)
	}
}

func stream(t *testing.T, ctx context.Context, c *grpc.ClientConn, method string) grpc.ClientStream {
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/t.T/"+method)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func send(t *testing.T, s grpc.ClientStream, text string) {
	m := []byte(text)
	if err := s.SendMsg(&m); err != nil {
		t.Errorf("send: %v", err)
	}
}

// receive returns the next message, or what ended the stream.
func receive(s grpc.ClientStream) (string, error) {
	var m []byte
	err := s.RecvMsg(&m)
	return string(m), err
}

func fromServer(t *testing.T, c *grpc.ClientConn) {
	s := stream(t, patient(t), c, "Many")
	send(t, s, "again")
	_ = s.CloseSend()
	n := 0
	for {
		m, err := receive(s)
		if err != nil {
			if !errors.Is(err, io.EOF) || n != 1000 {
				t.Errorf("from the server: %d messages, %v", n, err)
			}
			return
		}
		if m != "again" {
			t.Errorf("message %q", m)
		}
		n++
	}
}

func fromClient(t *testing.T, c *grpc.ClientConn) {
	s := stream(t, patient(t), c, "Sum")
	for range 1000 {
		send(t, s, "0123456789")
	}
	_ = s.CloseSend()
	if m, err := receive(s); m != "10000" || err != nil {
		t.Errorf("from the client: %q %v", m, err)
	}
}

// bothWays sends each message after the answer to the one before.
func bothWays(t *testing.T, c *grpc.ClientConn) {
	s := stream(t, patient(t), c, "Both")
	for i := range 100 {
		text := fmt.Sprint("message ", i)
		send(t, s, text)
		if m, err := receive(s); m != text || err != nil {
			t.Fatalf("both ways: %q %v", m, err)
		}
	}
	_ = s.CloseSend()
	if _, err := receive(s); !errors.Is(err, io.EOF) {
		t.Errorf("both ways: %v", err)
	}
	if got := s.Trailer()["x-end"]; fmt.Sprint(got) != "[of /t.T/Both]" {
		t.Errorf("both ways: trailer %v", s.Trailer())
	}
}

func failing(t *testing.T, c *grpc.ClientConn) {
	_, err := call(patient(t), c, "Fail", "x")
	if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "no such thing: x, 100 % €" {
		t.Errorf("failing: %v", err)
	}
	s := stream(t, patient(t), c, "Early") // answered before the client is done
	for range 100 {
		m := make([]byte, 100<<10)
		if s.SendMsg(&m) != nil {
			break
		}
	}
	if _, err := receive(s); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("early end: %v", err)
	}
}

// givenUp ends calls from the client's side, by its deadline and by its will; the server hears of it.
func givenUp(t *testing.T, c *grpc.ClientConn, g *greeter) {
	for patience, came := 100*time.Millisecond, false; !came; patience *= 2 { // a busy machine takes longer to bring it there
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if _, err := call(ctx, c, "Wait", "x"); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("deadline: %v", err)
		}
		cancel()
		for came = len(g.came) > 0; len(g.came) > 0; <-g.came {
			<-g.left
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	s := stream(t, ctx, c, "Both")
	send(t, s, "hello")
	if m, err := receive(s); m != "hello" {
		t.Errorf("before leaving: %q %v", m, err)
	}
	leave()
	<-g.left
}

func large(t *testing.T, c *grpc.ClientConn) {
	text := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
	if got, err := call(patient(t), c, "Unary", text); got != text || err != nil {
		t.Errorf("large: %d bytes, %v", len(got), err)
	}
}

func manyAtOnce(t *testing.T, c *grpc.ClientConn) {
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			s := stream(t, patient(t), c, "Both")
			for j := range 20 {
				text := fmt.Sprint(i, " ", j)
				send(t, s, text)
				if m, err := receive(s); m != text || err != nil {
					t.Errorf("of many: %q %v", m, err)
					return
				}
			}
			_ = s.CloseSend()
			if _, err := receive(s); !errors.Is(err, io.EOF) {
				t.Errorf("of many: %v", err)
			}
		})
	}
	all.Wait()
}

// TestGRPCFailover: calls go on over the other server when one has gone, and what weir itself has to say is said in gRPC's words.
func TestGRPCFailover(t *testing.T) {
	t.Parallel()
	one, two := startGreeter(t, "one"), startGreeter(t, "two")
	recipe := "location / { grpc_pass grpc://greeters; error_page 502 = @unavailable; error_page 504 = @late; } " +
		"location /t.T/Wait { grpc_pass grpc://greeters; error_page 504 = @late; grpc_read_timeout 2s; } " +
		"location @unavailable { default_type application/grpc; add_header grpc-status 14; add_header grpc-message unavailable; return 200 ''; } " +
		"location @late { default_type application/grpc; add_header grpc-status 4; add_header grpc-message 'deadline exceeded'; return 200 ''; }"
	b := grpcFront(t, false, "upstream greeters { server "+one.addr+" max_fails=0; server "+two.addr+" max_fails=0; }", recipe)
	c := dialGRPC(t, b.Addr("127.0.0.1:8080"), false)
	ask := func() (string, error) {
		var head metadata.MD
		_, err := call(patient(t), c, "Unary", "x", grpc.Header(&head))
		return strings.Join(head["server-name"], " "), err
	}
	by := func() string {
		name, err := ask()
		if err != nil {
			t.Errorf("%v\n%s", err, b.Errors)
		}
		return name
	}
	if first, second := by(), by(); first == second {
		t.Errorf("both calls by %s", first)
	}
	one.GracefulStop()
	// A call that is on its way when the connection ends may have been done, and is not made again. Of two in a row
	// one was meant for the server that has gone.
	for row, until := 0, time.Now().Add(time.Minute); row < 2; row++ {
		if name, err := ask(); name != "two" || err != nil {
			row = -1
		}
		if time.Now().After(until) {
			t.Fatalf("no call goes over to the other server\n%s", b.Errors)
		}
	}
	for range 20 {
		if name := by(); name != "two" {
			t.Errorf("answered by %q", name)
		}
	}
	if _, err := call(patient(t), c, "Wait", "x"); status.Code(err) != codes.DeadlineExceeded || status.Convert(err).Message() != "deadline exceeded" {
		t.Errorf("silent server: %v", err)
	}
	cut := stream(t, patient(t), c, "Both")
	send(t, cut, "x")
	if m, err := receive(cut); m != "x" {
		t.Errorf("before the server dies: %q %v", m, err)
	}
	two.Stop()
	if _, err := receive(cut); status.Code(err) != codes.Internal { // which is what a reset stream is to clients
		t.Errorf("server gone in a stream: %v", err)
	}
	if _, err := call(patient(t), c, "Unary", "x"); status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "unavailable" {
		t.Errorf("no server: %v", err)
	}
}

// TestGRPCReload: streams live on while the configuration changes under them.
func TestGRPCReload(t *testing.T) {
	t.Parallel()
	one, two := startGreeter(t, "one"), startGreeter(t, "two")
	conf := func(addr string) string {
		return "error_log stderr info; events {} http { access_log off; server { listen 127.0.0.1:8080; http2 on; location / { grpc_pass " + addr + "; } } }"
	}
	b := lbtest.Start(t, conf(one.addr))
	c := dialGRPC(t, b.Addr("127.0.0.1:8080"), false)
	s := stream(t, patient(t), c, "Both")
	for i := range 10 {
		send(t, s, "x")
		if m, err := receive(s); m != "x" || err != nil {
			t.Fatalf("after %d reloads: %q %v\n%s", i, m, err, b.Errors)
		}
		to := one
		if i%2 == 0 {
			to = two
		}
		if _, err := b.Reload(conf(to.addr)); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(must(s.Header())["server-name"]); got != "[one]" {
		t.Errorf("the stream is at %s", got)
	}
	_ = s.CloseSend()
	if _, err := receive(s); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
}

func must(m metadata.MD, _ error) metadata.MD { return m }
