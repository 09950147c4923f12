package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// steadied runs a steady load in a process of its own, on the CPUs of the load, because wrk knows no fixed rate.
func (b *bench) steadied(ctx context.Context, in *instance, c benchCase, d time.Duration) (outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	cmd := exec.CommandContext(ctx, "taskset", "-c", b.loadCPUs, self, "steady", c.name, in.addr, d.String())
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return outcome{}, fmt.Errorf("steady load: %w", err)
	}
	var o outcome
	return o, json.Unmarshal(text, &o)
}

// steadyMain is that process: bench steady CASE ADDRESS TIME. It prints its outcome as JSON.
func steadyMain(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: bench steady CASE ADDRESS TIME")
	}
	chosen, err := choose(args[0], false)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	o, err := runSteady(args[1], chosen[0], d)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

// runSteady spreads the rate evenly over the connections. A request's time counts from when it was due, so that a proxy
// that stalls does not hide the requests which had to wait.
func runSteady(addr string, c benchCase, d time.Duration) (outcome, error) {
	if c.rate <= 0 || c.conns <= 0 {
		return outcome{}, fmt.Errorf("case %s has no rate", c.name)
	}
	clients := make([]steadyClient, c.conns)
	for i := range clients {
		conn, err := dial(addr, c)
		if err != nil {
			return outcome{}, fmt.Errorf("connecting for a steady load: %w", err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(d + 10*time.Second))
		clients[i] = steadyClient{conn: conn, r: bufio.NewReader(conn), request: []byte(c.head(addr) + strings.Repeat("x", c.post))}
	}
	pause := time.Second * time.Duration(c.conns) / time.Duration(c.rate)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		first := begin.Add(pause * time.Duration(i) / time.Duration(c.conns))
		all.Go(func() { clients[i].run(first, pause, begin.Add(d)) })
	}
	all.Wait()
	return tally(clients, time.Since(begin)), nil
}

type steadyClient struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
	times   []time.Duration
	failed  int
}

func (s *steadyClient) run(due time.Time, pause time.Duration, end time.Time) {
	for ; due.Before(end); due = due.Add(pause) {
		time.Sleep(time.Until(due))
		if err := s.exchange(); err != nil {
			s.failed++
			return // a broken connection ends this client; what it still had to send is missed in the count
		}
		s.times = append(s.times, time.Since(due))
	}
}

func (s *steadyClient) exchange() error {
	if _, err := s.conn.Write(s.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the reply is %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func tally(clients []steadyClient, took time.Duration) outcome {
	o := outcome{Took: took}
	var times []time.Duration
	for _, s := range clients {
		times = append(times, s.times...)
		o.Failed += s.failed
	}
	o.Requests = len(times)
	if o.Requests > 0 {
		slices.Sort(times)
		o.P50, o.P99 = times[o.Requests/2], times[o.Requests*99/100]
	}
	return o
}
