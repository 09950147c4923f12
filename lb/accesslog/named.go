package accesslog

import (
	"container/list"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
)

// maxNamedFiles bounds how many files named by variables are open at a time.
const maxNamedFiles = 64

// recheck is how long a file named by variables is trusted to be where its
// name says: without USR1 a renamed file still gets the lines of this time.
const recheck = time.Second

// namedFiles is the open files whose names come from variables; the least
// recently used is closed when there are too many.
type namedFiles struct {
	outputs *errorlog.Set
	prefix  string
	report  *reporter

	mu     sync.Mutex
	byName map[string]*list.Element // of *namedFile
	recent list.List                // the front was used last
}

type namedFile struct {
	name    string
	file    *errorlog.File
	checked time.Time
}

func newNamedFiles(outputs *errorlog.Set, prefix string, report *reporter) *namedFiles {
	return &namedFiles{outputs: outputs, prefix: prefix, report: report, byName: map[string]*list.Element{}}
}

// write appends a line to the file of that name. The lock is held meanwhile,
// so that the file is not closed by another name's turn.
func (n *namedFiles) write(name, line []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, err := n.open(name)
	if err == nil {
		_, err = f.Write(line)
	}
	if err != nil {
		n.report.failed(err)
	}
}

// open finds or opens the file of a name.
func (n *namedFiles) open(name []byte) (*errorlog.File, error) {
	now := time.Now()
	if e := n.byName[string(name)]; e != nil {
		f := e.Value.(*namedFile)
		if now.Sub(f.checked) < recheck {
			n.recent.MoveToFront(e)
			return f.file, nil
		}
		if !f.file.Moved() {
			f.checked = now
			n.recent.MoveToFront(e)
			return f.file, nil
		}
		if err := n.drop(e); err != nil {
			return nil, err
		}
	}
	path := string(name)
	if !filepath.IsAbs(path) {
		path = n.prefix + path
	}
	file, err := n.outputs.OpenFile(path)
	if err != nil {
		return nil, err
	}
	n.byName[string(name)] = n.recent.PushFront(&namedFile{string(name), file, now})
	if n.recent.Len() > maxNamedFiles {
		err = n.drop(n.recent.Back())
	}
	return file, err
}

func (n *namedFiles) drop(e *list.Element) error {
	f := n.recent.Remove(e).(*namedFile)
	delete(n.byName, f.name)
	return f.file.Close()
}

func (n *namedFiles) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for e := n.recent.Front(); e != nil; e = n.recent.Front() {
		errs = append(errs, n.drop(e))
	}
	return errors.Join(errs...)
}
