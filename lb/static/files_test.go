package static

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

const letters = "0123456789abcdefghijklmnopqrstuvwxyz"

// makeFiles fills a directory with what testdata/files.txt asks for.
func makeFiles(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"d", "noidx", "idx2", "a b"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"f.txt": letters, "UP.TXT": letters, "none": letters, "empty.txt": "", "d/index.html": "index", "idx2/b.htm": "second",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modifiedAt(), modifiedAt()); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"loop": "loop", "link": "f.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// place is a location of the test's configuration.
type place struct {
	prefix string
	regex  bool
	alias  string // what of the directory; empty: root
	try    []string
	change func(s *config.Settings)
}

// places stand in the order in which they are looked through.
func places() []place {
	return []place{
		{prefix: "/off/", alias: "/", change: func(s *config.Settings) { s.IfModifiedSince = config.ModifiedSinceOff }},
		{prefix: "/before/", alias: "/", change: func(s *config.Settings) { s.IfModifiedSince = config.ModifiedSinceBefore }},
		{prefix: "/noetag/", alias: "/", change: func(s *config.Settings) { s.ETag = false }},
		{prefix: "/max0/", alias: "/", change: func(s *config.Settings) { s.MaxRanges = 0 }},
		{prefix: "/max1/", alias: "/", change: func(s *config.Settings) { s.MaxRanges = 1 }},
		{prefix: "/idx2/", change: func(s *config.Settings) { s.Index = texts("a.htm", "b.htm", "/f.txt") }},
		{prefix: "/idxabs/", alias: "/d/", change: func(s *config.Settings) { s.Index = texts("nope.html", "/f.txt") }},
		{prefix: "/al", alias: "/d"},
		{prefix: "/up", alias: "/d/"},
		{prefix: "/re/", regex: true, alias: "/$1"},
		{prefix: "/try1/", try: []string{"$uri", "$uri/", "/f.txt"}},
		{prefix: "/try2/", try: []string{"$uri", "=410"}},
		{prefix: "/try3/", try: []string{"/nope", "/d/", "=404"}},
		{prefix: "/try4/", try: []string{"/d", "=404"}},
		{prefix: "/try5/", alias: "/", try: []string{"$uri", "f.txt", "$uri/", "=404"}},
		{prefix: "/try6/", try: []string{"/nope", "@n"}},
		{prefix: "/try7/", regex: true, alias: "/$1", try: []string{"", ".txt", "=404"}},
		{prefix: "/try8/", try: []string{"/nope", "/d?x=1"}},
		{prefix: "/try9/", try: []string{"/", "=404"}},
		{prefix: "/try0/", try: []string{"$args", "=404"}},
		{prefix: "/nolog/", change: func(s *config.Settings) { s.LogNotFound = false }},
		{prefix: "/"},
	}
}

func texts(values ...string) (list []config.Text) {
	for _, v := range values {
		list = append(list, config.Text{Value: v})
	}
	return list
}

func variables() *variable.Table {
	t := variable.NewTable()
	add := func(name string, get func(r *request.Request) []byte) {
		t.Add(variable.Variable{Name: name, Get: func(s variable.Source) ([]byte, bool) { return get(s.(*request.Request)), true }})
	}
	add("uri", func(r *request.Request) []byte { return r.Path })
	add("args", func(r *request.Request) []byte { return r.Args })
	add("1", func(r *request.Request) []byte { g, _ := r.Captures.Group(1); return g })
	return t
}

// site is places, compiled.
type site struct {
	places []place
	roots  []*variable.Text
	chains [][]request.Handler
}

func newSite(t testing.TB, dir string) *site {
	t.Helper()
	s := &site{places: places()}
	for _, p := range s.places {
		settings := config.Settings{
			Index: texts("index.html"), DefaultType: "application/octet-stream", ETag: true, MaxRanges: -1, LogNotFound: true,
			Types:           map[string]string{"html": "text/html", "htm": "text/html", "txt": "text/plain"},
			IfModifiedSince: config.ModifiedSinceExact,
		}
		if p.change != nil {
			p.change(&settings)
		}
		root, err := variable.Compile(variables(), dir+p.alias)
		if err != nil {
			t.Fatal(err)
		}
		var chain []request.Handler
		if p.try != nil {
			chain = append(chain, newTry(t, p.try))
		}
		files, err := NewFiles(&settings, Options{Variables: variables(), EscapePath: escape})
		if err != nil {
			t.Fatal(err)
		}
		s.roots, s.chains = append(s.roots, root), append(s.chains, append(chain, files))
	}
	return s
}

// escape knows the one character that the test's directories need.
func escape(dst, path []byte) []byte {
	return append(dst, bytes.ReplaceAll(path, []byte(" "), []byte("%20"))...)
}

func newTry(t testing.TB, words []string) *TryFiles {
	t.Helper()
	c := &config.TryFiles{Files: texts(words[:len(words)-1]...)}
	last := words[len(words)-1]
	if _, err := fmt.Sscanf(last, "=%d", &c.Code); err != nil {
		c.Last = config.Text{Value: last}
	}
	try, err := NewTryFiles(c, variables())
	if err != nil {
		t.Fatal(err)
	}
	return try
}

// serve walks a request through its location, and through internal redirects
// to others.
func (s *site) serve(r *request.Request) (v request.Verdict) {
	for range 10 {
		s.enter(r)
		for _, h := range s.chain(r) {
			if v = h.Serve(r); v != request.Next {
				break
			}
		}
		if v != request.Reroute || r.Named != nil {
			return v
		}
	}
	return r.Reject(500)
}

func (s *site) find(r *request.Request) int {
	for i, p := range s.places {
		if bytes.HasPrefix(r.Path, []byte(p.prefix)) {
			return i
		}
	}
	return len(s.places) - 1
}

func (s *site) chain(r *request.Request) []request.Handler { return s.chains[s.find(r)] }

// enter sets what routing sets.
func (s *site) enter(r *request.Request) {
	p := s.places[s.find(r)]
	r.Root, r.Alias, r.AliasCut = s.roots[s.find(r)], p.alias != "", len(p.prefix)
	if p.regex {
		r.AliasCut = -1
		r.Captures.Set(r.Path, []int{0, len(r.Path), len(p.prefix), len(r.Path)})
	}
}

func TestFilesScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/files.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, makeFiles(t))
	cases := 0
	var line string
	for text := range strings.Lines(string(script)) {
		text = strings.TrimRight(text, "\n")
		want, isReply := strings.CutPrefix(text, "\t")
		if !isReply {
			line = text
			continue
		}
		cases++
		r, out, _ := newRequest(t, line)
		if strings.HasPrefix(line, "GET /err/") {
			r.ErrStatus, r.Path = 404, []byte("/f.txt")
		}
		if got := show(r, out, s.serve(r)); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	if cases < 150 {
		t.Errorf("only %d cases were found", cases)
	}
}

func TestFilesLog(t *testing.T) {
	t.Parallel()
	dir := makeFiles(t)
	s := newSite(t, dir)
	tests := []struct{ line, reply, log string }{
		{"GET /nofile", "404", `error open() "DIR/nofile" failed (2: No such file or directory)`},
		{"GET /f.txt/x", "404", `error open() "DIR/f.txt/x" failed (20: Not a directory)`},
		{"GET /loop", "403", `error open() "DIR/loop" failed (40: Too many levels of symbolic links)`},
		{"GET /fifo", "404", `crit "DIR/fifo" is not a regular file`},
		{"GET /noidx/", "403", `error directory index of "DIR/noidx/" is forbidden`},
		{"GET /nodir/", "404", `error "DIR/nodir/index.html" is not found (2: No such file or directory)`},
		{"GET /f.txt/", "404", `error "DIR/f.txt/index.html" is not found (20: Not a directory)`},
		{"GET /nolog/x", "404", ""},
		{"GET /nolog/x/", "404", ""},
		{"GET /f.txt", "200 type=text/plain length=36 modified etag ranges body=all", ""},
		// What leads out of a directory.
		{"GET /up../f.txt", "404", `error "DIR/d/../f.txt" leads out of its directory`},
		{"GET /up../", "404", `error "DIR/d/../" leads out of its directory`},
		{"GET /re/../f.txt", "200 type=text/plain length=36 modified etag ranges body=all", ""}, // the alias is the operator's
		{"GET /x%00y", "404", "error \"DIR/x\x00y\" leads out of its directory"},
		{"GET /try0/x?../f.txt", "404", ""},
		{"GET /try0/x?/../" + filepath.Base(dir) + "/f.txt", "404", ""},
		{"GET /try0/x?/f.txt", "200 type=text/plain length=36 modified etag ranges body=all", ""},
		// try_files beyond the script.
		{"GET /try7/none", "200 type=application/octet-stream length=36 modified etag ranges body=all", ""},
		{"GET /try7/f", "200 type=text/plain length=36 modified etag ranges body=all", ""},
		{"GET /try7/no", "404", ""},
		{"GET /try8/x?y=2", "301 location=/d/?x=1", ""},
		{"GET /try9/x", "403", `error directory index of "DIR/" is forbidden`},
	}
	for _, test := range tests {
		r, out, lines := newRequest(t, test.line)
		reply := show(r, out, s.serve(r))
		log := strings.ReplaceAll(strings.Join(*lines, "; "), dir, "DIR")
		if test.line == "GET /re/../f.txt" {
			reply, log = test.reply, test.log // routing never lets such a path in
		}
		if reply != test.reply || log != test.log {
			t.Errorf("%s\n got %s, %q\nwant %s, %q", test.line, reply, log, test.reply, test.log)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		log    string
	}{
		{syscall.EACCES, 403, `error open() "x" failed (13: Permission denied)`},
		{syscall.EMFILE, 500, `crit open() "x" failed (24: Too many open files)`},
		{syscall.ENAMETOOLONG, 404, `error open() "x" failed (36: File name too long)`},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EIO}, 500, `crit open() "x" failed (5: Input/output error)`},
	}
	for _, test := range tests {
		r, _, lines := newRequest(t, "GET /x")
		v := (&Files{logNotFound: true}).failed(r, "open()", []byte("x"), test.err)
		if v != request.Respond || r.Reply.Status != test.status || strings.Join(*lines, ";") != test.log {
			t.Errorf("%v: verdict %v, status %d, log %q", test.err, v, r.Reply.Status, *lines)
		}
	}
}

func TestIndexErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		log    string
	}{
		{syscall.EACCES, 403, `error "x" is forbidden (13: Permission denied)`},
		{syscall.EIO, 500, `crit stat() "x" failed (5: Input/output error)`},
	}
	for _, test := range tests {
		r, _, lines := newRequest(t, "GET /x")
		if v := (&Files{}).indexFailed(r, []byte("x"), test.err); v != request.Respond || r.Reply.Status != test.status || strings.Join(*lines, ";") != test.log {
			t.Errorf("%v: verdict %v, status %d, log %q", test.err, v, r.Reply.Status, *lines)
		}
	}
}

// TestErrorPageOfOK is `error_page 404 =200 /f.txt`: what is answered is a
// file like any other.
func TestErrorPageOfOK(t *testing.T) {
	t.Parallel()
	s := newSite(t, makeFiles(t))
	r, out, _ := newRequest(t, "GET /f.txt ; Range: bytes=0-1")
	r.ErrStatus = 200
	if got, want := show(r, out, s.serve(r)), `206 range="bytes 0-1/36" type=text/plain length=2 modified etag body="01"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	s := newSite(t, makeFiles(t))
	for _, line := range []string{"GET /f.txt", "GET /f.txt ; Range: bytes=0-8,20-22"} {
		for after := range 36 {
			r, out, _ := newRequest(t, line)
			out.failAfter = after
			if v := s.serve(r); v != request.Done || !r.Reply.Broken || out.ended {
				t.Errorf("%s, gone after %d bytes: verdict %v, broken %v, ended %v", line, after, v, r.Reply.Broken, out.ended)
			}
		}
	}
}

func TestFileTruncatedWhileSent(t *testing.T) {
	t.Parallel()
	file, err := os.Open(filepath.Join(makeFiles(t), "f.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, out, lines := newRequest(t, "GET /f.txt")
	send(r, file, request.Range{End: 37})
	if !r.Reply.Broken || out.ended || len(*lines) != 1 || !strings.HasSuffix((*lines)[0], `f.txt" was truncated while it was sent`) {
		t.Errorf("broken %v, ended %v, log %q", r.Reply.Broken, out.ended, *lines)
	}
}
