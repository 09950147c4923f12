package static

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"syscall"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// Options is what a location's handlers need of its surroundings.
type Options struct {
	Variables variable.Names
	// EscapePath writes a decoded path as it stands in a URL.
	EscapePath func(dst, path []byte) []byte
}

// Files is the handler that answers with the file to which r.Root and r.Path
// lead. It is immutable and safe for concurrent use.
type Files struct {
	types       *Types
	indexes     []*variable.Text
	modified    config.ModifiedSince
	maxRanges   int
	etag        bool
	logNotFound bool
	escapePath  func(dst, path []byte) []byte
}

// NewFiles compiles the settings of a location.
func NewFiles(s *config.Settings, o Options) (*Files, error) {
	f := &Files{
		types: NewTypes(s), modified: s.IfModifiedSince, maxRanges: s.MaxRanges, etag: s.ETag,
		logNotFound: s.LogNotFound, escapePath: o.EscapePath,
	}
	for _, index := range s.Index {
		text, err := variable.CompileConfig(o.Variables, index)
		if err != nil {
			return nil, err
		}
		f.indexes = append(f.indexes, text)
	}
	return f, nil
}

// Serve implements request.Handler.
func (f *Files) Serve(r *request.Request) request.Verdict {
	switch r.Verb {
	case request.VerbGet, request.VerbHead, request.VerbPost:
	default:
		return r.Reject(http.StatusMethodNotAllowed)
	}
	root, path := r.Root.Value(r), rest(r)
	if n := len(r.Path); n > 0 && r.Path[n-1] == '/' {
		return f.index(r, root, path)
	}
	name, ok := fileName(r, root, path)
	if !ok {
		return f.refuse(r, append(root[:len(root):len(root)], path...))
	}
	// A pipe must not block the request that asks for it.
	file, err := os.OpenFile(string(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return f.failed(r, "open()", name, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return f.failed(r, "fstat()", name, err)
	}
	switch {
	case info.IsDir():
		return f.addSlash(r)
	case !info.Mode().IsRegular():
		r.LogError(errorlog.Crit, quoted(name)+" is not a regular file")
		return r.Reject(http.StatusNotFound)
	case r.Verb == request.VerbPost:
		return r.Reject(http.StatusMethodNotAllowed)
	}
	return f.reply(r, file, info)
}

// addSlash sends the client of a directory to where its index is.
func (f *Files) addSlash(r *request.Request) request.Verdict {
	arena := r.Arena()
	to := append(f.escapePath(arena.Take(), r.Path), '/')
	if len(r.Args) > 0 {
		to = append(append(to, '?'), r.Args...)
	}
	r.Reply.Location = arena.Keep(to)
	return r.Reject(http.StatusMovedPermanently)
}

// refuse answers for a name that leads out of its directory.
func (f *Files) refuse(r *request.Request, name []byte) request.Verdict {
	r.LogError(errorlog.Error, quoted(name)+" leads out of its directory")
	return r.Reject(http.StatusNotFound)
}

// failed answers for a file that cannot be opened and says so in the log.
func (f *Files) failed(r *request.Request, call string, name []byte, err error) request.Verdict {
	status, level := http.StatusInternalServerError, errorlog.Crit
	switch {
	case isMissing(err):
		status, level = http.StatusNotFound, errorlog.Error
	case isForbidden(err):
		status, level = http.StatusForbidden, errorlog.Error
	}
	if status != http.StatusNotFound || f.logNotFound {
		r.LogError(level, call+" "+quoted(name)+" failed ("+errno.Text(err)+")")
	}
	return r.Reject(status)
}

// isMissing tells the errors that mean that there is no such file.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// isForbidden tells the errors that mean that the file must not be read.
func isForbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK)
}

func quoted(name []byte) string { return `"` + string(name) + `"` }
