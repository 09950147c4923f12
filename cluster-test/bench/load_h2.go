package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// multiplexed runs h2load on the CPUs of the load, with as many requests as take about so long: when it is told a time
// instead, it does not come to an end with nginx. It tells no quantiles: its mean and its maximum stand in their places.
func (b *bench) multiplexed(ctx context.Context, in *instance, c benchCase, d time.Duration) (outcome, error) {
	few := 8 * c.conns * c.streams
	if in.rate == 0 { // the first run only tells how many that are
		first, err := b.h2load(ctx, in, c, few)
		if err != nil {
			return outcome{}, err
		}
		o, err := b.h2load(ctx, in, c, max(int(in.rate*d.Seconds()), few))
		o.Requests += first.Requests
		o.Took += first.Took
		return o, err
	}
	return b.h2load(ctx, in, c, max(int(in.rate*d.Seconds()), few))
}

// h2load makes n requests.
func (b *bench) h2load(ctx context.Context, in *instance, c benchCase, n int) (outcome, error) {
	args := []string{"-c", b.loadCPUs, "h2load", "-t1", fmt.Sprint("-c", c.conns), fmt.Sprint("-m", c.streams), fmt.Sprint("-n", n)}
	for _, f := range c.fields {
		args = append(args, "-H", f)
	}
	text, err := exec.CommandContext(ctx, "taskset", append(args, in.url)...).CombinedOutput()
	if err != nil {
		return outcome{}, fmt.Errorf("h2load: %w: %s", err, text)
	}
	o, err := parseH2load(string(text))
	if err == nil && o.Took > 0 {
		in.rate = float64(o.Requests) / o.Took.Seconds()
	}
	return o, err
}

// parseH2load reads what h2load prints.
func parseH2load(text string) (outcome, error) {
	var o outcome
	m := regexp.MustCompile(`finished in ([0-9.]+(?:us|ms|s)),`).FindStringSubmatch(text)
	n := regexp.MustCompile(`, (\d+) done, (\d+) succeeded, (\d+) failed`).FindStringSubmatch(text)
	l := regexp.MustCompile(`time for request:\s+\S+\s+([0-9.]+(?:us|ms|s))\s+([0-9.]+(?:us|ms|s))`).FindStringSubmatch(text)
	if m == nil || n == nil || l == nil {
		return o, fmt.Errorf("h2load printed no result: %s", text)
	}
	var err error
	for i, to := range []*time.Duration{&o.Took, &o.P99, &o.P50} {
		if *to, err = time.ParseDuration([]string{m[1], l[1], l[2]}[i]); err != nil {
			return o, fmt.Errorf("h2load: %w", err)
		}
	}
	o.Requests, _ = strconv.Atoi(n[2]) // digits only, as is the next
	o.Failed, _ = strconv.Atoi(n[3])
	return o, nil
}

// openOneH2 opens a connection, makes one request by HTTP/2 and leaves it open.
func openOneH2(addr string, c benchCase) (net.Conn, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return nil, err
	}
	tr := &http.Transport{
		ForceAttemptHTTP2: true,
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	req, err := http.NewRequest(http.MethodGet, "https://"+addr+c.path, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.ProtoMajor != 2 {
		conn.Close()
		return nil, fmt.Errorf("no whole reply by HTTP/2: %s, %w", resp.Proto, err)
	}
	return conn, nil
}
