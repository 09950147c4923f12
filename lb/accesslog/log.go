package accesslog

import (
	"github.com/weir-lb/weir/lb/variable"
)

// Log is the `access_log` setting of one location. It is immutable and safe
// for concurrent use. A nil Log writes nothing.
type Log struct {
	set     *Set
	entries []entry
}

// entry is one `access_log` directive.
type entry struct {
	format    *Format
	condition *variable.Text // of if=; nil: always
	sink      sink           // nil: path names the file
	path      *variable.Text
}

// Write logs one finished request or session.
func (l *Log) Write(s variable.Source) {
	if l == nil {
		return
	}
	line := l.set.borrow()
	for i := range l.entries {
		e := &l.entries[i]
		if e.condition != nil && !variable.True(e.condition.Value(s)) {
			continue
		}
		*line = e.format.Append((*line)[:0], s)
		if e.sink != nil {
			e.sink.write(*line)
		} else if l.set.rootExists(s) {
			l.set.named.write(e.path.Value(s), *line)
		}
	}
	l.set.giveBack(line)
}
