package gossip

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// TestAlone: that no other node is found is told once, after the time in which nodes that are started together find
// each other.
func TestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{t: t, net: newNetwork(1), nodes: make([]*simNode, 1)}
		defer s.end()
		n := s.begin(0, 1)
		go n.Seek(t.Context(), func() []string { return []string{n.host.addr.String(), "10.9.9.9:7946"} })
		s.pause(4 * time.Second)
		if told := n.told(""); len(told) != 0 {
			t.Errorf("%q", told)
		}
		s.pause(time.Minute)
		if told := n.told("no other node is found, the search goes on: 10.9.9.9:7946: "); len(told) != 1 || len(n.told("")) != 1 {
			t.Errorf("%q", n.told(""))
		}
	})
}

// TestWhyNotJoined: the log has the reason, and no lists and addresses of the library.
func TestWhyNotJoined(t *testing.T) {
	t.Parallel()
	nobody := loopback.Refusing(t).String()
	if _, err := startOn(t, 0, nil).Join(t.Context(), []string{nobody}); err == nil || err.Error() != nobody+": connection refused" {
		t.Errorf("%v", err)
	}
	rude := rudeListener(t)
	if _, err := startOn(t, 2, nil).Join(t.Context(), []string{rude}); err == nil || err.Error() != rude+": it hung up, as nodes of other clusters do" {
		t.Errorf("%v", err)
	}
	if _, err := startOn(t, 1, nil).Join(t.Context(), []string{"no.such.invalid:1"}); err == nil || strings.Count(err.Error(), "no.such.invalid") > 2 {
		t.Errorf("%v", err)
	}
}

// rudeListener hangs up on everybody, without having read what they sent.
func rudeListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(c, make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// TestRefusedReasons: a node of another cluster, or with another key, hears in plain words why it finds nobody.
func TestRefusedReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*Options)
		words  string
	}{
		{func(o *Options) { o.Keys = [][]byte{keyOf(9)} }, ": it uses other keys"},
		{func(o *Options) { o.Cluster = "other" }, ": it hung up, as nodes of other clusters do"},
	} {
		n, stranger := startOn(t, 0, nil), startOn(t, 1, c.change)
		if _, err := stranger.Join(t.Context(), []string{n.Addr()}); err == nil || err.Error() != n.Addr()+c.words {
			t.Errorf("%v, want %s", err, c.words)
		}
	}
}
