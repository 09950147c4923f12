package clustertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

// talker is one client of socket.io's polling transport, version 4: each message is a request of its own, and all of
// them must reach the server that took the first.
type talker struct {
	http *http.Client
	base string // with the session's id once there is one
}

func newTalker(addr string) (*talker, error) {
	jar, err := cookiejar.New(nil)
	return &talker{
		http: &http.Client{Jar: jar, Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
		base: "http://" + addr + "/socket.io/?EIO=4&transport=polling",
	}, err
}

// exchange makes one request; a body makes it a POST.
func (k *talker) exchange(ctx context.Context, body string) (string, error) {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, k.base, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// open begins a session and joins the default namespace; it returns the server that welcomes the client.
func (k *talker) open(ctx context.Context) (server string, err error) {
	text, err := k.exchange(ctx, "")
	if err != nil {
		return "", err
	}
	var session struct{ Sid string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &session); err != nil || session.Sid == "" {
		return "", fmt.Errorf("the session begins with %q: %w", text, err)
	}
	k.base += "&sid=" + session.Sid
	if _, err := k.exchange(ctx, "40"); err != nil {
		return "", err
	}
	words, err := k.await(ctx, "welcome")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(words[1]), nil
}

// await polls until an event comes, and answers the server's pings meanwhile.
func (k *talker) await(ctx context.Context, event string) ([]any, error) {
	for range 20 {
		text, err := k.exchange(ctx, "")
		if err != nil {
			return nil, err
		}
		for packet := range strings.SplitSeq(text, "\x1e") {
			if packet == "2" {
				if _, err := k.exchange(ctx, "3"); err != nil {
					return nil, err
				}
			}
			var words []any
			if payload, ok := strings.CutPrefix(packet, "42"); ok && json.Unmarshal([]byte(payload), &words) == nil && words[0] == event {
				return words, nil
			}
		}
	}
	return nil, errors.New("no event " + event)
}

// say says something and checks the answer of the server.
func (k *talker) say(ctx context.Context, server string, n int) error {
	if _, err := k.exchange(ctx, fmt.Sprintf(`42["say","hello %d"]`, n)); err != nil {
		return err
	}
	words, err := k.await(ctx, "said")
	if err != nil {
		return err
	}
	if got, want := fmt.Sprint(words), fmt.Sprintf("[said %s %d hello %d]", server, n, n); got != want {
		return fmt.Errorf("answered %s, not %s", got, want)
	}
	return nil
}

// talk holds one conversation of several messages.
func talk(ctx context.Context, addr string, messages int) error {
	k, err := newTalker(addr)
	if err != nil {
		return err
	}
	defer k.http.CloseIdleConnections()
	server, err := k.open(ctx)
	for n := 1; err == nil && n <= messages; n++ {
		err = k.say(ctx, server, n)
	}
	return err
}

// TestSocketIOStays: conversations by socket.io's polling transport last behind sticky servers, over a reload, and break
// where requests are spread.
func TestSocketIOStays(t *testing.T) {
	t.Parallel()
	const dir = "../examples/chat"
	program.Modules(t, dir)
	f := newFarm(t, dir+"/server.js", 3, 2)
	ended := make(chan error)
	const talkers = 10
	for range talkers {
		go func() { ended <- talk(t.Context(), f.addr, 5) }()
	}
	f.servers[2].listed = true
	f.reload()
	for range talkers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	f.loose = true
	f.reload()
	broken := 0
	for range talkers {
		if err := talk(t.Context(), f.addr, 5); err != nil && strings.Contains(err.Error(), "Session ID unknown") {
			broken++
		} else if err != nil {
			t.Error(err)
		}
	}
	if broken == 0 {
		t.Error("no conversation breaks when requests are spread: the test shows nothing")
	}
}
