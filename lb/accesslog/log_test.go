package accesslog

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func line(a string) *source { return with(map[string]string{"a": a}) }

func TestNilLog(t *testing.T) {
	t.Parallel()
	s, _ := newSet(t, nil)
	l, err := s.Open(nil)
	if l != nil || err != nil {
		t.Fatalf("off gives %v, %v", l, err)
	}
	l.Write(line("dropped"))
}

func TestSeveralLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	s, errs := newSet(t, nil)
	conditional := to(two, "a")
	conditional.If = config.Text{Value: "$loggable"}
	l := mustOpen(t, s, to(one, "a"), conditional)
	for _, loggable := range []string{"", "0", "1", "00", "no"} {
		l.Write(with(map[string]string{"a": "<" + loggable + ">", "loggable": loggable}))
	}
	if got := contents(t, one); got != "<>\n<0>\n<1>\n<00>\n<no>\n" {
		t.Errorf("unconditional log: %q", got)
	}
	if got := contents(t, two); got != "<1>\n<00>\n<no>\n" {
		t.Errorf("conditional log: %q", got)
	}
	if err := s.Close(); err != nil || len(*errs) != 0 {
		t.Errorf("%v, %v", err, *errs)
	}
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		lines []string
		file  string // before Close
	}{
		{"held back", []string{"12345", "789"}, ""},
		{"full to the byte", []string{"1234", "6789"}, ""},
		{"the next does not fit", []string{"12345", "7890", "x"}, "12345\n"},
		{"longer than the buffer", []string{"1", "123456789012", "2"}, "1\n123456789012\n"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "log")
		s, errs := newSet(t, nil)
		a := to(path, "a")
		a.Buffer = 10
		l := mustOpen(t, s, a)
		for _, text := range test.lines {
			l.Write(line(text))
		}
		if got := contents(t, path); got != test.file {
			t.Errorf("%s: file has %q before close, want %q", test.name, got, test.file)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got, want := contents(t, path), strings.Join(test.lines, "\n")+"\n"; got != want {
			t.Errorf("%s: file has %q after close, want %q", test.name, got, want)
		}
		if len(*errs) > 0 {
			t.Errorf("%s: %v", test.name, *errs)
		}
	}
}

func TestFlushTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSet(t, nil)
		a := to(path, "a")
		a.Buffer, a.Flush = 100, 5*time.Second
		l := mustOpen(t, s, a)
		steps := []struct {
			wait  time.Duration
			write string
			want  string // the file afterwards
		}{
			{0, "one", ""},
			{4 * time.Second, "two", ""},              // does not move the time of the first
			{1 * time.Second, "", "one\ntwo\n"},       // five seconds after the first
			{60 * time.Second, "three", "one\ntwo\n"}, // the clock starts with the first line
			{4 * time.Second, "", "one\ntwo\n"},
			{1 * time.Second, "", "one\ntwo\nthree\n"},
		}
		for i, step := range steps {
			<-time.After(step.wait)
			synctest.Wait()
			if step.write != "" {
				l.Write(line(step.write))
			}
			if got := contents(t, path); got != step.want {
				t.Errorf("step %d: file has %q, want %q", i, got, step.want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGzip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.gz")
	s, _ := newSet(t, nil)
	a := to(path, "a")
	a.Buffer, a.Gzip = 64, 6
	l := mustOpen(t, s, a)
	var want strings.Builder
	for i := range 100 {
		l.Write(line(fmt.Sprint("line ", i)))
		fmt.Fprintln(&want, "line", i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(strings.NewReader(contents(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != want.String() {
		t.Errorf("%v, %q", err, got)
	}
}

func TestReopenFlushesToTheOldFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	s, _ := newSet(t, nil)
	a := to(path, "a")
	a.Buffer = 1000
	l := mustOpen(t, s, a)
	l.Write(line("old"))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.opts.Outputs.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(line("new"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if old, now := contents(t, path+".1"), contents(t, path); old != "old\n" || now != "new\n" {
		t.Errorf("rotated %q, new %q", old, now)
	}
}

func TestOneSinkForOnePath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	s, _ := newSet(t, nil)
	a := to(path, "a")
	a.Buffer = 1000
	x, y := mustOpen(t, s, a), mustOpen(t, s, a)
	x.Write(line("1"))
	y.Write(line("2"))
	x.Write(line("3"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, path); got != "1\n2\n3\n" {
		t.Errorf("lines out of order: %q", got)
	}
	if open := s.opts.Outputs.Paths(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pos := config.Pos{File: "c", Line: 1}
	path := func(p string) config.AccessLog {
		return config.AccessLog{Pos: pos, Path: config.Text{Value: p, Pos: pos}, Format: "a"}
	}
	change := func(a config.AccessLog, f func(*config.AccessLog)) config.AccessLog { f(&a); return a }
	tests := []struct {
		name string
		log  config.AccessLog
		want string
	}{
		{"format", change(path(dir+"/x"), func(a *config.AccessLog) { a.Format = "no" }), `unknown log format "no" in c:1`},
		{"folder", path(dir + "/no/x"), `open() "` + dir + `/no/x" failed (2: No such file or directory) in c:1`},
		{"condition", change(path(dir+"/x"), func(a *config.AccessLog) { a.If = config.Text{Value: "$no", Pos: pos} }), `unknown "no" variable in c:1`},
		{"path", path(dir + "/$no"), `unknown "no" variable in c:1`},
		{"buffered variable", change(path(dir+"/$host"), func(a *config.AccessLog) { a.Buffer = 1 }), `buffered logs cannot have variables in name in c:1`},
		{"conflict", change(path(dir+"/taken"), func(a *config.AccessLog) { a.Buffer = 1 }), `access_log "` + dir + `/taken" already defined with conflicting parameters in c:1`},
		{"gzip level", change(path(dir+"/x"), func(a *config.AccessLog) { a.Buffer, a.Gzip = 1, 99 }), `gzip: invalid compression level: 99`},
	}
	for _, test := range tests {
		s, _ := newSet(t, nil)
		mustOpen(t, s, to(dir+"/taken", "a"))
		if _, err := s.Open([]config.AccessLog{test.log}); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if open := s.opts.Outputs.Paths(); len(open) != 0 {
			t.Errorf("%s: left open: %v", test.name, open)
		}
	}
}

func TestSyslog(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s, _ := newSet(t, nil)
	l := mustOpen(t, s, config.AccessLog{Format: "a", Syslog: &config.Syslog{
		Server: server.LocalAddr().String(), Facility: "local1", Severity: "notice", Tag: "edge",
	}})
	long := strings.Repeat("x", 4000)
	for _, text := range []string{"hello", long} {
		l.Write(line(text))
		if err := server.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8192)
		n, _, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		// 17*8 + 5: local1.notice
		if !regexp.MustCompile(`^<141>[A-Z][a-z]{2} [ \d]\d [\d:]{8} box edge: ` + text[:5] + `x*$`).Match(buf[:n]) {
			t.Errorf("got %.100q", buf[:n])
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// full is a file on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, fmt.Errorf(`write() to "x" failed (no space left on device)`)
}
func (full) Close() error { return nil }

func TestFailuresAreReportedOncePerMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, errs := newSet(t, nil)
		d := &direct{full{}, &reporter{log: s.opts.Errors}}
		for range 130 {
			d.write([]byte("lost\n"))
			<-time.After(time.Second)
		}
		const want = `alert write() to "x" failed (no space left on device) while logging request`
		if len(*errs) != 3 || (*errs)[0] != want {
			t.Errorf("%d reports: %q", len(*errs), *errs)
		}
	})
}

func TestNamedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, errs := newSet(t, func(o *Options) {
			o.Prefix = dir + "/"
			o.RootExists = func(src variable.Source) bool { v, _ := value(src, "b"); return string(v) != "gone" }
		})
		l := mustOpen(t, s, to("$host.log", "a"))
		write := func(host, a, b string) { l.Write(with(map[string]string{"host": host, "a": a, "b": b})) }
		const hosts = 2*maxNamedFiles + 1
		for round := range 2 {
			for i := range hosts {
				write(fmt.Sprint("h", i), fmt.Sprint(round, " ", i), "")
			}
			if n := len(s.opts.Outputs.Paths()); n != maxNamedFiles {
				t.Errorf("%d files are open, want %d", n, maxNamedFiles)
			}
		}
		for i := range hosts {
			if got, want := contents(t, fmt.Sprintf("%s/h%d.log", dir, i)), fmt.Sprintf("0 %d\n1 %d\n", i, i); got != want {
				t.Errorf("host %d has %q, want %q", i, got, want)
			}
		}
		write("invented", "x", "gone")
		if _, err := os.Stat(dir + "/invented.log"); !os.IsNotExist(err) {
			t.Errorf("a request without a root made a file: %v", err)
		}
		if len(*errs) != 0 {
			t.Errorf("unexpected reports: %v", *errs)
		}
		write("no/folder", "x", "")
		if len(*errs) != 1 || !strings.HasPrefix((*errs)[0], `alert open() "`+dir+`/no/folder.log" failed (2: No such file`) {
			t.Errorf("reports: %v", *errs)
		}
		if err := s.Close(); err != nil || len(s.opts.Outputs.Paths()) != 0 {
			t.Errorf("%v, open %v", err, s.opts.Outputs.Paths())
		}
	})
}

func TestNamedFileIsFollowedWithoutReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSet(t, nil)
		l := mustOpen(t, s, to(dir+"/$host.log", "a"))
		write := func(a string) { l.Write(with(map[string]string{"host": "h", "a": a})) }
		write("one")
		if err := os.Rename(dir+"/h.log", dir+"/h.old"); err != nil {
			t.Fatal(err)
		}
		<-time.After(recheck)
		write("two")
		<-time.After(recheck)
		write("three")
		if old, now := contents(t, dir+"/h.old"), contents(t, dir+"/h.log"); old != "one\n" || now != "two\nthree\n" {
			t.Errorf("rotated %q, new %q", old, now)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	s, _ := newSet(t, nil)
	a := to(path, "a")
	a.Buffer, a.Flush = 256, time.Millisecond
	l := mustOpen(t, s, a)
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(line(fmt.Sprintf("writer %d line %03d", w, i)))
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := make([]int, writers)
	for text := range bytes.Lines([]byte(contents(t, path))) {
		var w, i int
		if _, err := fmt.Sscanf(string(text), "writer %d line %d\n", &w, &i); err != nil || next[w] != i {
			t.Fatalf("line %q: %v, expected number %d", text, err, next[w])
		}
		next[w]++
	}
	for w, n := range next {
		if n != each {
			t.Errorf("writer %d has %d lines", w, n)
		}
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	dir := t.TempDir()
	s, _ := newSet(t, nil)
	buffer := to(dir+"/buffered", "plain")
	buffer.Buffer = 1 << 10
	s.opts.Formats = append(s.opts.Formats, &config.LogFormat{Name: "plain", Format: config.Text{Value: `a plain line "$missing"`}})
	s.opts.Variables.(*variable.Table).Add(variable.Variable{Name: "missing", Get: func(variable.Source) ([]byte, bool) { return nil, false }})
	l := mustOpen(t, s, to(dir+"/direct", "plain"), buffer)
	src := line("x")
	if n := testing.AllocsPerRun(200, func() { l.Write(src) }); n != 0 {
		t.Errorf("%v allocations for a line", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
