package upstream

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// line reads "NAME[:PORT] [resolve] [service=S] [weight=N] [backup] [route=R]".
func line(text string) Server {
	words := strings.Fields(text)
	s := Server{Name: words[0], Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second, Port: 80}
	host, port, _ := strings.Cut(s.Name, ":")
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		s.Port = uint16(n)
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "resolve":
			s.Question.Host = host
		case "service":
			s.Question.Service = value
		case "weight":
			s.Weight, _ = strconv.Atoi(value)
		case "backup":
			s.Backup = true
		case "route":
			s.Route = value
		default:
			panic(w)
		}
	}
	if s.Question.Host == "" {
		s.Addrs = located([]netip.Addr{netip.MustParseAddr(host)}, s.Port)
	}
	return s
}

// reply reads an answer: "10.0.0.1 10.0.0.2", or SRV records as
// "PRIORITY WEIGHT PORT TARGET ADDR ADDR; …".
func reply(text string) (a Answer) {
	for part := range strings.SplitSeq(text, ";") {
		var r Record
		words := strings.Fields(part)
		if len(words) > 3 && !strings.Contains(words[0], ".") {
			for i, at := range []*uint16{&r.Priority, &r.Weight, &r.Port} {
				n, err := strconv.ParseUint(words[i], 10, 16)
				if err != nil {
					panic(err)
				}
				*at = uint16(n)
			}
			r.Target, words = words[3], words[4:]
		}
		for _, w := range words {
			r.Addrs = append(r.Addrs, netip.MustParseAddr(w))
		}
		a.Records = append(a.Records, r)
	}
	return a
}

// show writes the peers of a pool: "b:" for a backup, the address, its server
// where that is another name, and a weight that is not 1.
func show(p *Pool) string {
	var out []string
	for _, peer := range p.Peers() {
		text := peer.Text
		if peer.Server != text {
			text = peer.Server + "=" + text
		}
		if w := peer.slot.weight; w != 1 {
			text += "*" + strconv.Itoa(int(w))
		}
		if peer.Backup {
			text = "b:" + text
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestServersOfAnswers(t *testing.T) {
	t.Parallel()
	const srv = "1 0 81 b. 10.0.0.2; 1 3 80 a. 10.0.0.1 10.0.0.9; 2 1 80 c. 10.0.0.3; 5 1 80 d. 10.0.0.4"
	for _, c := range []struct {
		lines, answer string
		method        Kind
		want          string
	}{
		{"app:8080 resolve", "10.0.0.1 10.0.0.2", RoundRobin, "app:8080=10.0.0.1:8080 app:8080=10.0.0.2:8080"},
		{"app resolve", "10.0.0.1 ::1", RoundRobin, "app=10.0.0.1:80 app=[::1]:80"},
		{"app resolve weight=3 backup, 10.9.9.9:80", "10.0.0.1", RoundRobin, "10.9.9.9:80 b:app=10.0.0.1:80*3"},
		{"10.9.9.8:80, app resolve, 10.9.9.9:80", "10.0.0.1", Hash, "10.9.9.8:80 app=10.0.0.1:80 10.9.9.9:80"},
		{"app resolve", "", RoundRobin, ""},
		{"other resolve", "10.0.0.1", RoundRobin, ""},
		{"app resolve service=http", srv, RoundRobin,
			"b.:81=10.0.0.2:81 a.:80=10.0.0.1:80*3 a.:80=10.0.0.9:80*3 b:c.:80=10.0.0.3:80 b:d.:80=10.0.0.4:80"},
		{"app resolve service=http weight=2", srv, LeastConn,
			"b.:81=10.0.0.2:81*2 a.:80=10.0.0.1:80*2 a.:80=10.0.0.9:80*2 b:c.:80=10.0.0.3:80*2 b:d.:80=10.0.0.4:80*2"},
		{"app resolve service=http backup", srv, RoundRobin, "b:b.:81=10.0.0.2:81 b:a.:80=10.0.0.1:80*3 b:a.:80=10.0.0.9:80*3"},
		{"app resolve service=http", srv, ConsistentHash, "b.:81=10.0.0.2:81 a.:80=10.0.0.1:80*3 a.:80=10.0.0.9:80*3"},
		{"app resolve service=http", "1 10 80 a. 10.0.0.1; 1 30 80 b. 10.0.0.2", RoundRobin, "a.:80=10.0.0.1:80 b.:80=10.0.0.2:80*3"},
		{"app resolve service=http", "1 1 80 a.; 2 7 80 b. 10.0.0.2; 2 7 80 c. 10.0.0.3", RoundRobin, "b:b.:80=10.0.0.2:80 b:c.:80=10.0.0.3:80"},
		{"app resolve service=http", "1 65535 80 a. 10.0.0.1; 1 1 80 b. 10.0.0.2", RoundRobin, "a.:80=10.0.0.1:80*10000 b.:80=10.0.0.2:80"},
	} {
		cfg := Config{Name: "u", Method: Method{Kind: c.method}, AllowEmpty: true}
		for text := range strings.SplitSeq(c.lines, ", ") {
			cfg.Servers = append(cfg.Servers, line(text))
		}
		service := ""
		for _, s := range cfg.Servers {
			service += s.Question.Service
		}
		said := statements{file: cfg, answers: map[Question]Answer{{Host: "app", Service: service}: reply(c.answer)}}
		p, err := said.build(nil)
		if err != nil {
			t.Errorf("%s: %v", c.lines, err)
		} else if got := show(p); got != c.want {
			t.Errorf("%s answered %q\ngot  %s\nwant %s", c.lines, c.answer, got, c.want)
		}
	}
}

// The sum of what records weigh is bounded however many there are.
func TestRecordWeights(t *testing.T) {
	t.Parallel()
	records := make([]Record, 1000)
	for i := range records {
		records[i].Weight = uint16(65535 - i)
	}
	sum := 0
	for _, w := range recordWeights(records) {
		sum += w
	}
	if sum > maxShares+len(records) {
		t.Errorf("sum %d", sum)
	}
}

// Servers keep their ids over changes of order, addresses and membership.
func TestServerIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lines, answer, want string }{
		{"10.0.0.1:80", "", "10.0.0.1:80"},
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1 route=r", "", "r"},
		{"app resolve", "10.0.0.1 10.0.0.2", "10.0.0.1:80 10.0.0.2:80"},
		{"app resolve", "10.0.0.2", "10.0.0.2:80"},
		{"app resolve route=r", "10.0.0.2", "r/10.0.0.2:80"},
		{"app resolve service=http", "1 1 81 a. 10.0.0.1", "a.:81"},
		{"app resolve service=http route=r", "1 1 81 a. 10.0.0.1; 1 1 81 b. 10.0.0.2", "r/a.:81 r/b.:81"},
		{"app resolve service=http", "1 1 81 a. 10.0.0.7", "a.:81"},
		{"app resolve service=http", "1 1 81 a. 10.0.0.7 10.0.0.8", "a.:81/10.0.0.7:81 a.:81/10.0.0.8:81"},
	} {
		l := line(c.lines)
		said := statements{file: Config{Name: "u", Servers: []Server{l}, AllowEmpty: true}, answers: map[Question]Answer{l.Question: reply(c.answer)}}
		p, err := said.build(nil)
		if err != nil {
			t.Fatal(err)
		}
		var want []ServerID
		for name := range strings.FieldsSeq(c.want) {
			want = append(want, NewServerID("u", name))
		}
		var got []ServerID
		for _, peer := range p.Peers() {
			got = append(got, peer.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: not the ids of %s", c.lines, c.want)
		}
	}
	if NewServerID("u", "10.0.0.1:80") != 0xab40cb33fbbde1cf {
		t.Errorf("the id of a server has changed: %#x", uint64(NewServerID("u", "10.0.0.1:80")))
	}
}
