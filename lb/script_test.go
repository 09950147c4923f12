package lb_test

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/golden"
	"github.com/weir-lb/weir/lb/lbtest"
)

// The files of testdata/*.script are conversations with one balancer: a
// configuration, what clients send, and what they are answered. All of them
// were first held with nginx, whose answers were written down:
//
//	go test ./lb -run Scripts -against nginx -update
//
// A file is a list of cases:
//
//	== title
//	http:                directives of the http block, indented
//	server:              directives of a server on 127.0.0.1:8080
//	log: FORMAT          of the access log, whose lines are then told by "="
//	file NAME: TEXT      a file below the prefix, of a fixed date
//	---                  a new connection; "--- ADDRESS" to another address
//	> GET / HTTP/1.1     a line that is sent, with CR LF
//	>"bytes"             bytes that are sent, as a Go string
//	< HTTP/1.1 200 OK    a reply is read; "<   " are its fields and its body
//	<closed              the connection ends
//	! WORDS              the error log holds them
//	= LINE               a line of the access log
//
// Configurations hold no comments: TestEveryDirectiveIsTested reads them, too.
//
// ORIGIN is an upstream that mirrors requests, with the fields that their
// X-Answer fields hold; it answers /status/N with N and as its paths say
// otherwise. DEAD is an address on which nobody listens, PREFIX the folder of
// the configuration, PREFIX/certs that of the certificates of writeTestPKI.
var (
	against = flag.String("against", "", "`nginx` to hold the scripts' conversations with it instead")
)

// scriptCase is one case of a script.
type scriptCase struct {
	title        string
	http, server string
	format       string
	files        [][2]string
	talk         []string // the lines of the conversation
	raw          []string // the lines before it, for -update
}

func readScript(t *testing.T, name string) (head []string, cases []*scriptCase) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var c *scriptCase
	section := ""
	for _, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		title, isTitle := strings.CutPrefix(line, "== ")
		if isTitle {
			c = &scriptCase{title: title}
			cases = append(cases, c)
			section = ""
		}
		if c == nil {
			head = append(head, line)
			continue
		}
		if len(c.talk) > 0 || line != "" && strings.Contains("-><!=", line[:1]) && !isTitle {
			c.talk = append(c.talk, line)
			continue
		}
		c.raw = append(c.raw, line)
		word, value, _ := strings.Cut(line, ":")
		switch name, isFile := strings.CutPrefix(word, "file "); {
		case isFile:
			c.files = append(c.files, [2]string{name, strings.TrimPrefix(value, " ")})
		case word == "http" || word == "server":
			section = word
		case word == "log":
			c.format = strings.TrimSpace(value)
		case section == "http":
			c.http += line + "\n"
		case section == "server":
			c.server += line + "\n"
		}
	}
	return head, cases
}

// conf is the configuration of a case.
func (c *scriptCase) conf() string {
	log := "access_log off;"
	if c.format != "" {
		log = "log_format told '" + c.format + "'; access_log access.log told;"
	}
	server := ""
	if c.server != "" {
		server = "server { listen 127.0.0.1:8080;\n" + c.server + "}\n"
	}
	return "events {}\nhttp {\n" + log + "\n" + c.http + server + "}\n"
}

// scripted is what a script talks to: weir, or nginx.
type scripted interface {
	Dial(written string) *lbtest.Client
	Addr(written string) string
	errors() *lbtest.Log
	access() *lbtest.Log
}

type weir struct{ *lbtest.Balancer }

func (w weir) errors() *lbtest.Log { return w.Errors }
func (w weir) access() *lbtest.Log { return w.Access }

func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/*.script")
}

// runScripts holds the conversations of all files of a pattern.
func runScripts(t *testing.T, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		head, cases := readScript(t, file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			if !golden.Updating() {
				t.Parallel()
			}
			for _, c := range cases {
				t.Run(c.title, func(t *testing.T) {
					if !golden.Updating() {
						t.Parallel()
					}
					c.run(t)
				})
			}
			if golden.Updating() {
				writeScript(t, file, head, cases)
			}
		})
	}
}

func writeScript(t *testing.T, file string, head []string, cases []*scriptCase) {
	lines := head
	for _, c := range cases {
		lines = append(append(lines, c.raw...), c.talk...)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (c *scriptCase) run(t *testing.T) {
	be := lbtest.StartBackend(t, origin)
	dead := lbtest.StartBackend(t, origin)
	dead.Stop()
	b := lbtest.New(t)
	conf := strings.NewReplacer("ORIGIN", be.Addr(), "DEAD", dead.Addr(), "PREFIX", b.Dir).Replace(c.conf())
	if strings.Contains(conf, "certs/") {
		writeTestPKI(t, b)
	}
	for _, f := range c.files {
		path := b.Write(f[0], f[1])
		date := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
		if err := os.Chtimes(path, date, date); err != nil {
			t.Fatal(err)
		}
	}
	var s scripted
	if *against == "nginx" {
		s = startNginx(t, b.Dir, conf)
	} else {
		if _, err := b.Reload(conf); err != nil {
			t.Fatal(err)
		}
		s = weir{b}
	}
	_, port, err := net.SplitHostPort(s.Addr(front))
	if err != nil {
		t.Fatal(err)
	}
	tell := strings.NewReplacer(be.Addr(), "ORIGIN", dead.Addr(), "DEAD", ":"+port, ":8080", b.Dir, "PREFIX",
		"nginx/1.22.1", "weir/1", ">nginx<", ">weir<", "Server: nginx", "Server: weir")
	got := c.converse(t, s, tell)
	if golden.Updating() {
		c.talk = got
		return
	}
	if g, w := strings.Join(got, "\n"), strings.Join(c.talk, "\n"); g != w {
		t.Errorf("the conversation went otherwise:\n%s", golden.Difference(c.talk, got))
	}
}

// converse holds the conversation and returns it as it went.
func (c *scriptCase) converse(t *testing.T, s scripted, tell *strings.Replacer) (got []string) {
	var client *lbtest.Client
	out, head, logged := "", false, 0
	for _, line := range c.talk {
		mark := ""
		if line != "" {
			mark = line[:1]
		}
		switch {
		case mark == "<" && strings.HasPrefix(line, "<  "):
			continue // written anew by the reply it belongs to
		case mark == "-":
			client = nil
		case mark == ">":
			text := strings.TrimPrefix(line[1:], " ")
			if quoted, err := strconv.Unquote(line[1:]); err == nil {
				out += quoted
			} else {
				out += text + "\r\n"
			}
			head = head || strings.HasPrefix(text, "HEAD ")
		}
		if client == nil {
			_, where, _ := strings.Cut(line, "--- ")
			if mark != "-" || where == "" {
				where = front
			}
			client = s.Dial(where)
		}
		if mark == "<" && out != "" {
			client.Send(out)
			out = ""
		}
		switch {
		case line == "<closed":
			client.Ended()
		case mark == "<":
			got = append(got, tellReply(client, head, tell)...)
			head = false
			continue
		case mark == "!" && len(line) > 2:
			told := func() string { return tell.Replace(s.errors().String()) }
			lbtest.Await(t, func() bool { return strings.Contains(told(), line[2:]) }, func() string { return line + "\n" + told() })
		case mark == "=":
			line = "= " + tell.Replace(s.access().AwaitLines(t, logged+1)[logged])
			logged++
		}
		got = append(got, line)
	}
	return got
}

// tellReply reads a reply and returns its lines.
func tellReply(client *lbtest.Client, head bool, tell *strings.Replacer) []string {
	var r *lbtest.Reply
	if head {
		r = client.HeadReply()
	} else {
		r = client.Reply()
	}
	lines := []string{"< " + r.Line}
	for _, f := range r.Fields {
		if !strings.HasPrefix(f, "Date:") && !strings.HasPrefix(f, "Server:") {
			lines = append(lines, "<   "+tell.Replace(f))
		}
	}
	if r.Body != "" && !strings.HasPrefix(r.Body, "<html>") {
		for _, l := range strings.Split(strings.TrimSuffix(r.Body, "\n"), "\n") {
			if len(l) > 500 {
				l = fmt.Sprint("(", len(l), " bytes)")
			}
			lines = append(lines, "<   | "+strings.TrimSuffix(tell.Replace(l), "\r"))
		}
	} else if r.Body != "" {
		_, title, _ := strings.Cut(r.Body, "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		lines = append(lines, "<   page: "+title)
	}
	if r.Broken {
		lines = append(lines, "<   (broken off)")
	}
	for i := range lines {
		if strings.HasPrefix(lines[i], "<   Content-Length: ") && (strings.HasPrefix(r.Body, "<html>") ||
			strings.Contains(tell.Replace(r.String()), "ORIGIN")) {
			lines[i] = "<   Content-Length: (any)"
		}
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
