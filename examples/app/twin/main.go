// Command twin runs the example application (package app) where there is no node. It takes the same environment and
// arguments as server.js: PORT, HOST and NAME, or twin [PORT [NAME]].
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/weir-lb/weir/examples/app"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	host := cmp.Or(os.Getenv("HOST"), "127.0.0.1")
	port := cmp.Or(os.Getenv("PORT"), "3001")
	if len(args) > 0 {
		port = args[0]
	}
	name := cmp.Or(os.Getenv("NAME"), "go-"+port)
	if len(args) > 1 {
		name = args[1]
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("app %s: port %s of %s is taken", name, port, host)
	}
	if err != nil {
		return fmt.Errorf("app %s: %w", name, err)
	}
	fmt.Printf("app %s: listening on http://%s\n", name, listener.Addr())
	return serve(listener, name)
}

// serve answers until a signal to stop, then lets running requests finish for a moment.
func serve(listener net.Listener, name string) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	server := &http.Server{Handler: app.New(name), ReadHeaderTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("app %s: %w", name, err)
	case <-stop.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("app %s: %w", name, err)
	}
	return nil
}
