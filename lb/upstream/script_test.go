package upstream

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/golden"
)

// TestScripts runs testdata/*.txt. A line is a command, a comment (#), or,
// beginning with "=", what the command above it must answer:
//
//	method DIRECTIVE WORD…       method of the next pool
//	server A[=NAME] PARAMETER…   a server of the next pool, called A here; its
//	                             addresses are made up, addrs=N gives it N
//	pool [from nothing]          build it in place of the pool so far
//	pick [N] [FACT…]             N requests one after another, all good
//	count [N] [FACT…]            as pick, but tell only how many each has got
//	hold [N] [FACT…]             N requests that stay in work
//	walk [FACT…]                 one request that all peers pass on (http_404)
//	ok|fail|next A [header=T] [total=T]   end the oldest held request of A
//	advance T                    let time pass
//	status [A]                   the status
//
// FACTs of a request are key=K, ip=A and hint=H.
func TestScripts(t *testing.T) {
	golden.Scripts(t, "testdata/*.txt", runScript)
}

// script is the state of one run.
type script struct {
	t       *testing.T
	cfg     Config
	pool    *Pool
	now     int64
	letters map[string]string // by server name
	held    map[string][]*PickArgs

	orders   map[string]Order // by server name, of the next pool
	verdicts map[string]Verdict
}

func runScript(t *testing.T, text string) string {
	s := &script{t: t, now: 1000 * int64(time.Second), letters: map[string]string{}, held: map[string][]*PickArgs{}}
	s.said()
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "=") {
			continue
		}
		out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if answer := s.command(words[0], words[1:]); answer != "" {
			out.WriteString("= " + strings.ReplaceAll(answer, "\n", "\n= ") + "\n")
		}
	}
	return out.String()
}

// said forgets what was said about the servers of the pool before.
func (s *script) said() {
	s.orders, s.verdicts = map[string]Order{}, map[string]Verdict{}
}

func (s *script) command(name string, args []string) string {
	switch name {
	case "method":
		m, err := ParseMethod(args[0], args[1:]...)
		if err != nil {
			return err.Error()
		}
		s.cfg.Method = m
	case "server":
		s.server(args)
	case "pool":
		return s.build(len(args) > 0)
	case "pick", "count", "hold", "walk":
		return s.picks(name, args)
	case "ok", "fail", "next":
		return s.end(name, args)
	case "advance":
		s.now += int64(s.duration(args[0]))
	case "status":
		return s.status(args)
	default:
		s.t.Fatalf("unknown command %q", name)
	}
	return ""
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) server(args []string) {
	letter, name, named := strings.Cut(args[0], "=")
	if !named {
		name = letter
	}
	s.letters[name] = letter
	sv := Server{Name: name, Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second}
	addrs := 1
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "weight":
			sv.Weight = n
		case "max_conns":
			sv.MaxConns = n
		case "max_fails":
			sv.MaxFails = n
		case "fail_timeout":
			sv.FailTimeout = s.duration(value)
		case "slow_start":
			sv.SlowStart = s.duration(value)
		case "backup":
			sv.Backup = true
		case "down":
			sv.Down = true
		case "drain":
			sv.Drain = true
		case "route":
			sv.Route = value
		case "addrs":
			addrs = n
		case "order":
			s.orders[name] = map[string]Order{"up": OrderUp, "drain": OrderDrain, "down": OrderDown}[value]
		case "verdict":
			s.verdicts[name] = map[string]Verdict{"checking": VerdictChecking, "unhealthy": VerdictUnhealthy}[value]
		default:
			s.t.Fatalf("unknown parameter %q", arg)
		}
	}
	for i := range addrs {
		ip := netip.AddrFrom4([4]byte{10, 0, letter[0], byte(i + 1)})
		sv.Addrs = append(sv.Addrs, Addr{AddrPort: netip.AddrPortFrom(ip, 80)})
	}
	s.cfg.Servers = append(s.cfg.Servers, sv)
}

func (s *script) build(afresh bool) string {
	old := s.pool
	if afresh {
		old = nil
		clear(s.held)
	}
	s.cfg.Name, s.cfg.Rand = "u", rand.NewPCG(1, 2)
	p, err := NewPool(s.cfg, old)
	s.cfg.Servers = nil
	if err != nil {
		return err.Error()
	}
	p.judge(func(p *Peer) (Order, Verdict) { return s.orders[p.Server], s.verdicts[p.Server] })
	s.said()
	s.pool = p
	var gone []string
	for _, peer := range p.TakeOver(old) {
		gone = append(gone, "retired "+s.letter(peer))
	}
	p.welcome(old, s.now)
	return strings.Join(gone, "\n")
}

// letter names a peer: its server's letter, with a number when the server has
// several addresses.
func (s *script) letter(p *Peer) string {
	l := s.letters[p.Server]
	same := 0
	for _, other := range s.pool.Peers() {
		if other.Server == p.Server {
			same++
		}
	}
	if same > 1 {
		l += fmt.Sprint(p.Addr.AddrPort.Addr().As4()[3])
	}
	return l
}

func (s *script) facts(args []string) PickArgs {
	a := PickArgs{Now: s.now}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "key":
			a.Key = []byte(value)
		case "ip":
			a.Client = netip.MustParseAddr(value)
		case "hint":
			a.Hint = []byte(value)
		default:
			s.t.Fatalf("unknown fact %q", arg)
		}
	}
	return a
}

func (s *script) picks(name string, args []string) string {
	n := 1
	if len(args) > 0 {
		if i, err := strconv.Atoi(args[0]); err == nil {
			n, args = i, args[1:]
		}
	}
	var got []string
	a := new(PickArgs)
	for i := 0; i < n; i++ {
		if name != "walk" || i == 0 {
			*a = s.facts(args)
		}
		peer, err := s.pool.Pick(a)
		if err != nil {
			got = append(got, err.Error())
			break
		}
		got = append(got, s.letter(peer))
		switch name {
		case "hold":
			l := s.letter(peer)
			s.held[l] = append(s.held[l], a)
			a = new(PickArgs)
		case "walk":
			s.pool.Release(a, Outcome{Now: s.now, Next: true, Status: 404})
			n++
		case "pick", "count":
			s.pool.Release(a, Outcome{Now: s.now, Status: 200, HeaderTime: -1})
		}
	}
	if name == "count" {
		return counted(got)
	}
	return strings.Join(got, " ")
}

// counted tells how often each word is there.
func counted(words []string) string {
	slices.Sort(words)
	var out []string
	for len(words) > 0 {
		n := 1
		for n < len(words) && words[n] == words[0] {
			n++
		}
		out = append(out, fmt.Sprintf("%s=%d", words[0], n))
		words = words[n:]
	}
	return strings.Join(out, " ")
}

func (s *script) end(name string, args []string) string {
	held := s.held[args[0]]
	if len(held) == 0 {
		s.t.Fatalf("no request is in work at %s", args[0])
	}
	s.held[args[0]] = held[1:]
	o := Outcome{Now: s.now, Status: 200, Failed: name == "fail", Next: name == "next", HeaderTime: -1}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "header":
			o.HeaderTime = s.duration(value)
			s.pool.HeaderReceived(held[0], o.HeaderTime, s.now)
		case "total":
			o.ResponseTime = s.duration(value)
		}
	}
	if s.pool.Release(held[0], o) {
		return "disabled"
	}
	return ""
}

func (s *script) status(args []string) string {
	st := s.pool.Status(s.now)
	var lines []string
	for i, p := range s.pool.Peers() {
		v := st.Peers[i]
		l := s.letter(p)
		if len(args) > 0 && args[0] != l {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s active=%d requests=%d fails=%d unavail=%d downtime=%s header=%s total=%s", l,
			v.State, v.Active, v.Requests, v.Fails, v.Unavail, v.Downtime, v.HeaderTime, v.ResponseTime))
	}
	if st.Zombies > 0 {
		lines = append(lines, fmt.Sprintf("zombies=%d", st.Zombies))
	}
	return strings.Join(lines, "\n")
}
