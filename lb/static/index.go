package static

import (
	"errors"
	"io/fs"
	"net/http"
	"os"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// index leads a request for a directory to the first index file that exists,
// through a redirect inside weir, so that the file's own location serves it.
func (f *Files) index(r *request.Request, root, path []byte) request.Verdict {
	dir, ok := fileName(r, root, path)
	if !ok {
		return f.refuse(r, append(root[:len(root):len(root)], path...))
	}
	dirTested := false
	for _, text := range f.indexes {
		index := text.Value(r)
		if len(index) == 0 {
			continue
		}
		if index[0] == '/' {
			return r.RedirectTo(index, r.Args)
		}
		name, ok := fileName(r, dir, index)
		if !ok {
			return f.refuse(r, append(dir[:len(dir):len(dir)], index...))
		}
		_, err := os.Stat(string(name))
		if err == nil {
			arena := r.Arena()
			return r.RedirectTo(arena.Keep(append(append(arena.Take(), r.Path...), index...)), r.Args)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return f.indexFailed(r, name, err)
		}
		if !dirTested {
			if v, ok := f.testDir(r, dir, name); !ok {
				return v
			}
			dirTested = true
		}
	}
	r.LogError(errorlog.Error, "directory index of "+quoted(dir)+" is forbidden")
	return r.Reject(http.StatusForbidden)
}

// testDir tells a directory without the index from one that is not there;
// name is the index that was looked for.
func (f *Files) testDir(r *request.Request, dir, name []byte) (request.Verdict, bool) {
	info, err := os.Stat(string(dir))
	switch {
	case err == nil && info.IsDir():
		return request.Next, true
	case err == nil:
		r.LogError(errorlog.Alert, quoted(dir)+" is not a directory")
		return r.Reject(http.StatusInternalServerError), false
	case errors.Is(err, fs.ErrPermission):
		// Only the directory above keeps us out; looking into this one worked.
		return request.Next, true
	}
	return f.indexFailed(r, name, err), false
}

func (f *Files) indexFailed(r *request.Request, name []byte, err error) request.Verdict {
	cause := " (" + errno.Text(err) + ")"
	switch {
	case isForbidden(err):
		r.LogError(errorlog.Error, quoted(name)+" is forbidden"+cause)
		return r.Reject(http.StatusForbidden)
	case isMissing(err):
		if f.logNotFound {
			r.LogError(errorlog.Error, quoted(name)+" is not found"+cause)
		}
		return r.Reject(http.StatusNotFound)
	}
	r.LogError(errorlog.Crit, "stat() "+quoted(name)+" failed"+cause)
	return r.Reject(http.StatusInternalServerError)
}
