package cache_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/cluster-test/golden"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache"
	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// The files of testdata/*.script tell what becomes of requests, one case after
// the other. A case is
//
//	== title
//	conf: directives of the location
//	> GET /path          a request, and its fields; the clients' own line
//	^ 200                what the upstream answers if it is asked, with fields,
//	^ | body             and its body; "^ error", "^ timeout", "^ invalid" and
//	^ breaks             "^ breaks" (after the body) are its faults
//	+10s                 the clock goes on
//
// and between these what follows, which -update writes:
//
//	? If-None-Match: "a" what the upstream was asked with beside the client's
//	?                    own head ("?" alone: as the client asked; nothing: it
//	                     was not asked); in the background it is "?? "
//	< 200 HIT            the reply, and $upstream_cache_status
//	<   Age: 3           its fields, and its body
//	! not stored: …      the debug log
//
// world is one case: a cache before an upstream that says what the script says.
type world struct {
	t     *testing.T
	c     *cache.Cache
	z     *cache.Zone
	table *variable.Table
	conf  *config.Location
	log   *errorlog.Logger
	reply []string // of the upstream, for the request at hand
	told  []string // outcomes
	own   *request.Request
	done  chan struct{} // closed when the own request has its reply
	// fetch answers in place of the script; nil: the script does
	fetch func(r *request.Request) (request.Incoming, request.Verdict)
}

func newWorld(t *testing.T, conf string) *world {
	w := &world{t: t, table: variable.NewTable()}
	request.AddVariables(w.table, request.Env{})
	w.table.Add(variable.Variable{Name: "proxy_host", Get: func(variable.Source) ([]byte, bool) { return []byte("up"), true }})
	text := `http { proxy_cache_path ` + t.TempDir() + `/c keys_zone=c:1m; server { listen 80; location / { proxy_pass http://up; proxy_cache c; ` + conf + ` } } }`
	file := filepath.Join(t.TempDir(), "weir.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Options{File: file, Prefix: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w.log = errorlog.NewFunc(errorlog.Debug, func(_ errorlog.Level, _ uint64, message string) {
		if w.fetch != nil {
			return
		}
		message, _, _ = strings.Cut(message, ", client:")
		w.told = append(w.told, "! "+strings.TrimPrefix(message, `cache "c": `))
	})
	p := loaded.HTTP.CachePaths[0]
	o := store.Options{Name: p.Zone, Path: p.Path, KeysSize: p.Size, Inactive: p.Inactive, Log: w.log}
	if w.z, err = new(cache.Set).Open(o); err != nil {
		t.Fatal(err)
	}
	w.z.Start(o)
	w.conf = loaded.HTTP.Servers[0].Locations[0]
	w.c, err = cache.New(cache.Options{Location: w.conf, Table: w.table, Next: w, Zone: func(name string) *cache.Zone {
		if name == "c" {
			return w.z
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// newRequest makes the request of script lines.
func (w *world) newRequest(lines []string) *request.Request {
	r := &request.Request{}
	conn := &request.Conn{RemoteText: []byte("client")}
	r.Reset(conn, w.table.Slots())
	method, target, _ := strings.Cut(lines[0], " ")
	line := method + " " + target + " HTTP/1.1"
	r.Head.Reset([]byte(line))
	r.Line = request.Span{End: uint32(len(line))}
	r.Method = request.Span{End: uint32(len(method))}
	r.Target = request.Span{Off: r.Method.End + 1, End: r.Method.End + 1 + uint32(len(target))}
	r.Verb, r.Version = request.VerbOf([]byte(method)), request.HTTP11
	path, args, _ := strings.Cut(target, "?")
	r.Path, r.Args = []byte(path), []byte(args)
	for _, f := range lines[1:] {
		name, value, _ := strings.Cut(f, ":")
		r.Head.Add([]byte(name), []byte(strings.TrimSpace(value)))
	}
	r.Start, r.Log, r.Out, r.Site = time.Now(), w.log, request.Nowhere{}, w
	return r
}

// Catches implements request.Site.
func (w *world) Catches(int) bool { return false }

// Hold implements request.Site.
func (w *world) Hold() func() { return func() {} }

// Fetch implements request.Fetcher: it answers as the script says.
func (w *world) Fetch(r *request.Request) (request.Incoming, request.Verdict) {
	if w.fetch != nil {
		return w.fetch(r)
	}
	mark := "?"
	if r != w.own && r.Cached.Slice == nil {
		<-w.done // so that the script has one order
		mark = "??"
	}
	wish := ""
	for _, f := range []struct {
		name  string
		value []byte
	}{{"If-None-Match", r.Wish.ETag}, {"If-Modified-Since", r.Wish.LastModified}, {"Range", r.Wish.Range}} {
		if f.value != nil {
			wish += " " + f.name + ": " + string(f.value)
		}
	}
	if r.Wish.Get {
		wish += " GET"
	}
	if r.Wish.Whole {
		wish += " whole"
	}
	w.told = append(w.told, mark+wish)
	return w.answer(r)
}

func (w *world) answer(r *request.Request) (request.Incoming, request.Verdict) {
	if len(w.reply) == 0 {
		w.told = append(w.told, "(the upstream has nothing to say)")
		r.Fault = request.FaultError
		return nil, r.Reject(502)
	}
	r.Fault = request.FaultNone
	switch w.reply[0] {
	case "error":
		r.Fault = request.FaultError
		return nil, r.Reject(502)
	case "timeout":
		r.Fault = request.FaultTimeout
		return nil, r.Reject(504)
	case "invalid":
		r.Fault = request.FaultInvalid
		return nil, r.Reject(502)
	}
	status, _ := strconv.Atoi(w.reply[0])
	b := &scriptBody{}
	r.Upstream.Reset(nil)
	length := int64(-2)
	for _, line := range w.reply[1:] {
		if text, ok := strings.CutPrefix(line, "|"); ok {
			b.pieces = append(b.pieces, strings.TrimPrefix(text, " "))
			continue
		}
		if line == "breaks" {
			b.breaks = true
			continue
		}
		if line == "chunked" {
			length = -1
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.ReplaceAll(strings.TrimSpace(value), "NOW", strconv.FormatInt(time.Now().Unix(), 10))
		if at, err := time.ParseDuration(value); err == nil && strings.Contains("Date Expires Last-Modified", name) {
			value = time.Now().Add(at).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
		}
		r.Upstream.Add([]byte(name), []byte(value))
	}
	if length == -2 {
		length = int64(len(strings.Join(b.pieces, "")))
	}
	r.Reply.Status, r.Reply.Reason, r.Reply.Length = status, nil, length
	r.Reply.NoBody = r.Verb == request.VerbHead
	return b, request.Next
}

// scriptBody is a body of a script.
type scriptBody struct {
	pieces []string
	breaks bool
}

func (b *scriptBody) Next() (request.Piece, error) {
	if len(b.pieces) == 0 {
		if b.breaks {
			return request.Piece{}, &request.Error{Source: request.Upstream, Reason: "broke off"}
		}
		return request.Piece{}, io.EOF
	}
	p := b.pieces[0]
	b.pieces = b.pieces[1:]
	return request.Piece{Bytes: []byte(p)}, nil
}

func (b *scriptBody) Left() int64 { return int64(len(strings.Join(b.pieces, ""))) }
func (b *scriptBody) Describe()   {}
func (b *scriptBody) Close()      {}

// ask sends a request through the cache and tells what comes back.
func (w *world) ask(lines []string) {
	r := w.newRequest(lines)
	w.own, w.done = r, make(chan struct{})
	defer close(w.done)
	body, verdict := w.c.Fetch(r)
	if body == nil {
		w.told = append(w.told, strings.TrimSpace(fmt.Sprintf("< %d %s", r.Reply.Status, r.Cached.Status)))
		w.tellAdded(r)
		if verdict != request.Respond {
			w.told = append(w.told, fmt.Sprintf("(verdict %d)", verdict))
		}
		return
	}
	text, err := readAll(body, r)
	body.Close()
	w.told = append(w.told, strings.TrimSpace(fmt.Sprintf("< %d %s", r.Reply.Status, r.Cached.Status)))
	for i := range r.Upstream.Fields {
		if f := &r.Upstream.Fields[i]; !r.Upstream.Skips(f) && f.ID != request.FieldDate {
			w.told = append(w.told, "<   "+string(r.Upstream.Name(f))+": "+string(r.Upstream.Value(f)))
		}
	}
	if r.Reply.ContentType != nil {
		kind, _, _ := strings.Cut(string(r.Reply.ContentType), "=")
		w.told = append(w.told, "<   Content-Type: "+kind)
	}
	if r.Reply.Ranges {
		w.told = append(w.told, "<   Accept-Ranges: bytes")
	}
	w.tellAdded(r)
	if r.Reply.Length >= 0 && !r.Reply.NoBody && int64(len(text)) != r.Reply.Length {
		w.told = append(w.told, fmt.Sprintf("(%d bytes, announced were %d)", len(text), r.Reply.Length))
	}
	if text != "" {
		for _, line := range strings.Split(strings.TrimRight(text, "\r\n"), "\n") {
			line = strings.TrimRight(line, "\r")
			if strings.HasPrefix(line, "--0") || strings.HasPrefix(line, "--1") || len(line) > 20 && strings.Trim(line, "-0123456789") == "" {
				line = "--boundary"
			}
			w.told = append(w.told, strings.TrimRight("<   | "+line, " "))
		}
	}
	if err != nil {
		w.told = append(w.told, "<   (broken off)")
	}
}

func (w *world) tellAdded(r *request.Request) {
	for _, f := range r.Reply.Added {
		w.told = append(w.told, "<   "+f.Name+": "+string(f.Value))
	}
}

// readAll takes a body as the delivery does.
func readAll(body request.Incoming, r *request.Request) (string, error) {
	var text strings.Builder
	for {
		p, err := body.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return text.String(), err
		}
		if p.File != nil {
			part := make([]byte, p.Length)
			if _, err := p.File.ReadAt(part, p.Offset); err != nil && err != io.EOF {
				return text.String(), err
			}
			p.Bytes = part
		}
		if !r.Reply.NoBody && r.Verb != request.VerbHead {
			text.Write(p.Bytes)
		}
	}
	return text.String(), nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(text), "== ")
		out := head
		for _, c := range strings.Split(rest, "\n== ") {
			title, script, _ := strings.Cut(c, "\n")
			t.Run(filepath.Base(file)+"/"+title, func(t *testing.T) {
				got := runScript(t, strings.Split(strings.TrimRight(script, "\n"), "\n"))
				if !golden.Updating() && got != strings.TrimRight(script, "\n") {
					t.Errorf("it went otherwise:\n%s", got)
				}
				out += "== " + title + "\n" + got + "\n\n"
			})
		}
		if golden.Updating() {
			if err := os.WriteFile(file, []byte(strings.TrimRight(out, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// runScript runs a case and returns it as it went.
func runScript(t *testing.T, lines []string) (got string) {
	conf := ""
	var out, asking []string
	for len(lines) > 0 && strings.HasPrefix(lines[0], "conf:") {
		conf += strings.TrimPrefix(lines[0], "conf:") + "\n"
		out, lines = append(out, lines[0]), lines[1:]
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, conf)
		defer w.z.Close()
		flush := func() {
			if asking == nil {
				return
			}
			w.ask(asking)
			synctest.Wait()
			out = append(out, w.told...)
			asking, w.told, w.reply = nil, nil, nil
		}
		for _, line := range lines {
			mark, rest, _ := strings.Cut(line, " ")
			switch {
			case mark == ">":
				if method, _, _ := strings.Cut(rest, " "); method == strings.ToUpper(method) && !strings.HasSuffix(method, ":") {
					flush()
				}
				asking = append(asking, rest)
			case mark == "^":
				w.reply = append(w.reply, rest)
			case strings.HasPrefix(line, "+"):
				flush()
				d, err := time.ParseDuration(line[1:])
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(d)
			case line == "" || strings.HasPrefix(line, "#"):
				flush()
			default:
				continue // an outcome
			}
			out = append(out, line)
		}
		flush()
	})
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}
