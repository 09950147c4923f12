package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// outcome is what one run of load saw.
type outcome struct {
	Requests int
	Failed   int           // replies other than 200, broken connections, timeouts
	Took     time.Duration // as the load generator measured it
	P50, P99 time.Duration
}

// head returns the request of a case as it goes over the wire, without a body.
func (c benchCase) head(addr string) string {
	method, host := "GET", cmp.Or(c.host, addr)
	var b strings.Builder
	if c.post > 0 {
		method = "POST"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, c.path, host)
	for _, f := range c.fields {
		b.WriteString(f + "\r\n")
	}
	if c.post > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", c.post)
	}
	b.WriteString("\r\n")
	return b.String()
}

// dial opens a client connection to a proxy; its certificate is our own and not looked at.
func dial(addr string, c benchCase) (net.Conn, error) {
	if c.key == plain {
		return net.DialTimeout("tcp", addr, 5*time.Second)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return tls.DialWithDialer(dialer, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
}

// answersOnce makes one request of a case over a new connection, and checks that the whole reply is as it should be.
func answersOnce(addr string, c benchCase) error {
	conn, err := dial(addr, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, c.head(addr)+strings.Repeat("x", c.post)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	want := int64(1 << 10)
	if strings.HasSuffix(c.path, "100k") {
		want = 100 << 10
	}
	if resp.StatusCode != http.StatusOK || n != want {
		return fmt.Errorf("the reply is %s with %d bytes, not 200 with %d", resp.Status, n, want)
	}
	return nil
}

// saturated runs wrk for a while on the CPUs of the load.
func (b *bench) saturated(ctx context.Context, in *instance, c benchCase, d time.Duration) (outcome, error) {
	args := []string{"-c", b.loadCPUs, "wrk", "-t1", fmt.Sprint("-c", c.conns), fmt.Sprintf("-d%.0fs", d.Seconds()), "--latency"}
	for _, f := range c.fields {
		args = append(args, "-H", f)
	}
	if c.host != "" {
		args = append(args, "-H", "Host: "+c.host)
	}
	if c.close {
		args = append(args, "-H", "Connection: close")
	}
	if c.post > 0 {
		script := filepath.Join(b.dir, "post.lua")
		text := fmt.Sprintf("wrk.method = 'POST'\nwrk.body = string.rep('x', %d)\n", c.post)
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			return outcome{}, err
		}
		args = append(args, "-s", script)
	}
	text, err := exec.CommandContext(ctx, "taskset", append(args, in.url)...).CombinedOutput()
	if err != nil {
		return outcome{}, fmt.Errorf("wrk: %w: %s", err, text)
	}
	return parseWrk(string(text))
}

// parseWrk reads what wrk --latency prints.
func parseWrk(text string) (outcome, error) {
	var o outcome
	m := regexp.MustCompile(`(\d+) requests in ([0-9.]+)(us|ms|s|m|h),`).FindStringSubmatch(text)
	if m == nil {
		return o, fmt.Errorf("wrk printed no count of requests: %s", text)
	}
	var err error
	if o.Requests, err = strconv.Atoi(m[1]); err != nil {
		return o, fmt.Errorf("wrk: %w", err)
	}
	if o.Took, err = time.ParseDuration(m[2] + m[3]); err != nil {
		return o, fmt.Errorf("wrk: %w", err)
	}
	for percent, to := range map[string]*time.Duration{"50": &o.P50, "99": &o.P99} {
		m := regexp.MustCompile(`\n\s+` + percent + `%\s+([0-9.]+(?:us|ms|s|m|h))`).FindStringSubmatch(text)
		if m == nil {
			return o, fmt.Errorf("wrk printed no %s%% line: %s", percent, text)
		}
		if *to, err = time.ParseDuration(m[1]); err != nil {
			return o, fmt.Errorf("wrk: %w", err)
		}
	}
	if m := regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`).FindStringSubmatch(text); m != nil {
		o.Failed, _ = strconv.Atoi(m[1]) // digits only
	}
	if m := regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`).FindStringSubmatch(text); m != nil {
		for _, n := range m[1:] {
			count, _ := strconv.Atoi(n) // digits only
			o.Failed += count
		}
	}
	return o, nil
}
