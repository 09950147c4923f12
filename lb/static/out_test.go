package static

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// output is a client in memory: the head as it stood at Begin, and the body.
type output struct {
	request.Out // what handlers of files never call
	r           *request.Request
	head        request.Reply
	body        bytes.Buffer
	ended       bool
	failAfter   int // body bytes; below 0: never
}

var errGone = errors.New("client gone")

func (o *output) Begin() error {
	p := &o.r.Reply
	if o.r.ErrStatus != 0 {
		p.Status = o.r.ErrStatus
	}
	p.NoBody = p.NoBody || o.r.Verb == request.VerbHead
	o.head = *p
	return nil
}

func (o *output) Write(p []byte) error {
	if o.failAfter >= 0 && o.body.Len()+len(p) > o.failAfter {
		return errGone
	}
	o.body.Write(p)
	return nil
}

func (o *output) SendFile(f *os.File, offset, n int64) error {
	buf := make([]byte, n)
	if m, err := f.ReadAt(buf, offset); int64(m) < n {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return o.Write(buf)
}

func (o *output) End(*request.Head) error {
	o.ended = true
	return nil
}

// newRequest makes the request of a line such as
// "GET /a%20b?x=1 ; Range: bytes=0-1", and an error log in a list.
func newRequest(t testing.TB, line string) (*request.Request, *output, *[]string) {
	t.Helper()
	parts := strings.Split(line, " ; ")
	method, target, _ := strings.Cut(parts[0], " ")
	r, lines := &request.Request{}, new([]string)
	r.Reset(&request.Conn{}, 0)
	for _, field := range parts[1:] {
		name, value, _ := strings.Cut(field, ":")
		r.Head.Add([]byte(name), []byte(strings.TrimSpace(value)))
	}
	r.Verb = request.VerbOf([]byte(method))
	raw, args, hasArgs := strings.Cut(target, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		t.Fatal(err)
	}
	r.Path, r.Args, r.HasArgs, r.Plain = []byte(path), []byte(args), hasArgs, path == raw
	r.Log = errorlog.NewFunc(errorlog.Debug, func(l errorlog.Level, _ uint64, m string) {
		m, _, _ = strings.Cut(m, ", client: ")
		*lines = append(*lines, l.String()+" "+m)
	})
	out := &output{r: r, failAfter: -1}
	r.Out = out
	return r, out, lines
}

// modifiedAt is when the test's files were modified.
func modifiedAt() time.Time { return time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC) }

var boundary = regexp.MustCompile(`[0-9]{20}`)

// show writes a reply in the form of testdata/files.txt.
func show(r *request.Request, o *output, verdict request.Verdict) string {
	var b strings.Builder
	p := &o.head
	switch verdict {
	case request.Reroute:
		return "location " + string(r.Named)
	case request.Respond:
		p = &r.Reply
	}
	fmt.Fprint(&b, p.Status)
	if p.Location != nil {
		fmt.Fprintf(&b, " location=%s", p.Location)
	}
	for _, a := range p.Added {
		fmt.Fprintf(&b, " %s=%q", strings.ToLower(strings.TrimPrefix(a.Name, "Content-")), a.Value)
	}
	if verdict != request.Done {
		return b.String()
	}
	if p.ContentType != nil {
		fmt.Fprintf(&b, " type=%s", strings.ReplaceAll(boundary.ReplaceAllString(string(p.ContentType), "B"), "; ", ";"))
	}
	if p.Length >= 0 {
		fmt.Fprintf(&b, " length=%d", p.Length)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"modified", p.LastModified.Equal(modifiedAt())}, {"etag", p.ETag != nil}, {"ranges", p.Ranges}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	if body := o.body.String(); body == letters {
		b.WriteString(" body=all")
	} else if body != "" {
		fmt.Fprintf(&b, " body=%q", boundary.ReplaceAllString(body, "B"))
	}
	if !o.ended {
		b.WriteString(" unfinished")
	}
	if p.Length >= 0 && !p.NoBody && int64(o.body.Len()) != p.Length {
		b.WriteString(" of another length")
	}
	return b.String()
}
