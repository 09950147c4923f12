package static

import (
	"bytes"
	"os"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// TryFiles is the handler that goes through the files of `try_files`: the
// first that exists becomes the request's path, for the location's own content
// handler. It is immutable and safe for concurrent use.
type TryFiles struct {
	files []candidate
	code  int            // where no file exists; 0: last
	last  *variable.Text // a path or a named location
}

type candidate struct {
	name *variable.Text
	dir  bool // it was written with a slash at its end: a directory is meant
}

// NewTryFiles compiles a directive.
func NewTryFiles(c *config.TryFiles, names variable.Names) (*TryFiles, error) {
	t := &TryFiles{code: c.Code}
	for _, file := range c.Files {
		name, dir := strings.CutSuffix(file.Value, "/")
		text, err := variable.CompileConfig(names, config.Text{Value: name, Pos: file.Pos})
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, candidate{text, dir})
	}
	if c.Code != 0 {
		return t, nil
	}
	var err error
	t.last, err = variable.CompileConfig(names, c.Last)
	return t, err
}

// Serve implements request.Handler.
func (t *TryFiles) Serve(r *request.Request) request.Verdict {
	root := r.Root.Value(r)
	for i := range t.files {
		c := &t.files[i]
		path := c.name.Value(r)
		found := path
		if r.Alias && r.AliasCut >= 0 && r.AliasCut <= len(r.Path) {
			found = bytes.TrimPrefix(path, r.Path[:r.AliasCut])
		}
		name, ok := fileName(r, root, found)
		if !ok || !exists(r, name, c.dir) {
			continue
		}
		take(r, found, c.dir)
		return request.Next
	}
	if t.code != 0 {
		return r.Reject(t.code)
	}
	path := t.last.Value(r)
	if len(path) > 0 && path[0] == '@' {
		return r.RedirectTo(path, nil)
	}
	path, args, _ := bytes.Cut(path, []byte("?"))
	return r.RedirectTo(path, args)
}

// exists tells whether there is a file, or a directory, of that name.
func exists(r *request.Request, name []byte, dir bool) bool {
	info, err := os.Stat(string(name))
	if err == nil {
		return info.IsDir() == dir
	}
	if !isMissing(err) {
		r.LogError(errorlog.Crit, "stat() "+quoted(name)+" failed ("+errno.Text(err)+")")
	}
	return false
}

// take makes what was found the request's path; found is what follows the
// root or the alias.
func take(r *request.Request, found []byte, dir bool) {
	path := found
	switch {
	case r.Alias && r.AliasCut < 0:
		if dir || len(found) == 0 { // the alias itself
			return
		}
		r.AliasCut = 0 // from here on the path is added to what the alias names
	case r.Alias && r.AliasCut <= len(r.Path):
		arena := r.Arena()
		path = arena.Keep(append(append(arena.Take(), r.Path[:r.AliasCut]...), found...))
	}
	if len(path) == 0 { // "/" without its slash: the root itself
		path = []byte{'/'}
	}
	if !bytes.Equal(path, r.Path) {
		r.Path, r.Plain = path, false
	}
}
