package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// MirrorOptions are what a location's proxy_store is made of.
type MirrorOptions struct {
	Location *config.Location
	Table    *variable.Table
	Prefix   string // of relative names
	Next     request.Fetcher
}

// Mirror keeps what another Fetcher brings as plain files (proxy_store), which
// it never reads: `try_files` and the like do.
type Mirror struct {
	next   request.Fetcher
	path   *variable.Text // nil: where root or alias leads
	prefix string
	temp   string
	access fs.FileMode
}

// NewMirror compiles the proxy_store of a location.
func NewMirror(o MirrorOptions) (*Mirror, error) {
	conf := &o.Location.ProxySettings.Cache.Store
	m := &Mirror{next: o.Next, prefix: o.Prefix, temp: o.Location.ProxySettings.TempPath.Path, access: conf.Access}
	if conf.Path.IsZero() {
		return m, nil
	}
	var err error
	m.path, err = variable.CompileConfig(o.Table, conf.Path)
	return m, err
}

// Fetch implements request.Fetcher. Whole replies to GET with status 200 are
// kept.
func (m *Mirror) Fetch(r *request.Request) (request.Incoming, request.Verdict) {
	body, verdict := m.next.Fetch(r)
	if body == nil || r.Verb != request.VerbGet || r.Reply.Status != http.StatusOK {
		return body, verdict
	}
	to, ok := m.file(r)
	if !ok {
		return body, verdict
	}
	file, err := m.create(to)
	if err != nil {
		m.failed(r, err)
		return body, verdict
	}
	r.Wish.Stay = true
	return &mirrored{Incoming: body, m: m, r: r, file: file, to: to, length: r.Reply.Length}, verdict
}

// file is where the reply goes; false where that would lead out of its place.
func (m *Mirror) file(r *request.Request) (string, bool) {
	var name []byte
	if m.path != nil {
		name = m.path.Value(r)
	} else {
		cut := 0
		if r.Alias && r.AliasCut > 0 {
			cut = min(r.AliasCut, len(r.Path))
		}
		name = append(append(name, r.Root.Value(r)...), r.Path[cut:]...)
	}
	if len(name) == 0 || name[len(name)-1] == '/' || bytes.IndexByte(name, 0) >= 0 || leadsUp(name) {
		return "", false
	}
	if !filepath.IsAbs(string(name)) {
		return filepath.Join(m.prefix, string(name)), true
	}
	return string(name), true
}

// leadsUp tells whether a segment of a path is "..".
func leadsUp(name []byte) bool {
	for len(name) > 0 {
		var segment []byte
		if segment, name, _ = bytes.Cut(name, []byte("/")); string(segment) == ".." {
			return true
		}
	}
	return false
}

// create makes the file that will take the place, beside where it goes, so
// that it comes there in one step.
func (m *Mirror) create(to string) (*os.File, error) {
	dir := filepath.Dir(to)
	file, err := os.CreateTemp(dir, ".weir-store-*")
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		file, err = os.CreateTemp(dir, ".weir-store-*")
	}
	return file, err
}

func (m *Mirror) failed(r *request.Request, err error) {
	r.LogError(errorlog.Crit, "proxy_store: "+describe(err))
}

// describe words an error of the file system as nginx does.
func describe(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s() %q failed (%s)", e.Op, e.Path, errno.Text(err))
	}
	return errno.Text(err)
}

// mirrored is a body that is kept as a file on its way to the client.
type mirrored struct {
	request.Incoming
	m      *Mirror
	r      *request.Request
	file   *os.File // nil: it has ended
	to     string
	length int64 // as announced; -1: unknown
	size   int64
}

// Next implements request.Incoming.
func (b *mirrored) Next() (request.Piece, error) {
	p, err := b.Incoming.Next()
	switch {
	case b.file == nil:
	case err == io.EOF:
		b.end(b.length < 0 || b.size == b.length)
	case err != nil:
		b.end(false)
	default:
		b.size += int64(len(p.Bytes))
		if _, bad := b.file.Write(p.Bytes); bad != nil {
			b.m.failed(b.r, bad)
			b.end(false)
		}
	}
	return p, err
}

// end moves the file to its place, or removes it.
func (b *mirrored) end(whole bool) {
	file := b.file
	b.file = nil
	err := errors.Join(file.Chmod(b.m.access), file.Close())
	if err == nil && whole {
		if v, ok := b.r.Upstream.Get(request.FieldLastModified); ok {
			if at, ok := request.ParseDate(v); ok {
				err = os.Chtimes(file.Name(), time.Now(), at)
			}
		}
		if err == nil {
			err = os.Rename(file.Name(), b.to)
		}
	}
	if err != nil || !whole {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	if err != nil {
		b.m.failed(b.r, err)
	}
}

// Close implements request.Incoming: what the client did not take is kept all
// the same.
func (b *mirrored) Close() {
	for b.file != nil {
		if _, err := b.Next(); err != nil {
			break
		}
	}
	b.Incoming.Close()
}
