package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// settle is how long idle connections rest before memory is read: the proxies have timers that tidy up.
const settle = 5 * time.Second

// idled opens the connections of a case, makes one request on each, and returns the growth of the proxy's resident
// memory in KB for each connection.
func idled(ctx context.Context, in *instance, c benchCase) (float64, error) {
	before, err := residentKB(in.ID())
	if err != nil {
		return 0, err
	}
	conns, err := openIdle(ctx, in.addr, c)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	if err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(settle):
	}
	after, err := residentKB(in.ID())
	return float64(after-before) / float64(len(conns)), err
}

// openIdle opens connections a few at a time. What it returns with an error is to be closed, too.
func openIdle(ctx context.Context, addr string, c benchCase) ([]net.Conn, error) {
	const atOnce = 32
	var (
		mu    sync.Mutex
		conns []net.Conn
		first error
		all   sync.WaitGroup
	)
	for part := range atOnce {
		all.Go(func() {
			for i := part; i < c.conns && ctx.Err() == nil; i += atOnce {
				conn, err := openOne(addr, c)
				mu.Lock()
				if err != nil {
					first = fmt.Errorf("connection %d of %d: %w", len(conns)+1, c.conns, err)
					mu.Unlock()
					return
				}
				conns = append(conns, conn)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return conns, first
}

func openOne(addr string, c benchCase) (net.Conn, error) {
	if c.streams > 0 {
		return openOneH2(addr, c)
	}
	conn, err := dial(addr, c)
	if err != nil {
		return nil, err
	}
	if err := useOnce(conn, c.head(addr)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func useOnce(conn net.Conn, head string) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
