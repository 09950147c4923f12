package lb

import (
	"fmt"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
)

// errorTargets are the outputs of error_log settings, and a key that is the
// same for equal settings.
func errorTargets(logs []config.ErrorLog) (targets []errorlog.Target, key string, err error) {
	for i := range logs {
		l := &logs[i]
		level, err := errorlog.ParseLevel(l.Level)
		if err != nil {
			return nil, "", l.Pos.Errorf("%v", err)
		}
		t := errorlog.Target{Level: level, Path: l.Path, Stderr: l.Stderr}
		if s := l.Syslog; s != nil {
			t.Syslog = &errorlog.SyslogOptions{Server: s.Server, Facility: s.Facility, Tag: s.Tag, NoHost: s.NoHost}
			key += fmt.Sprintf("%+v", *t.Syslog)
		}
		key += fmt.Sprintf(" %d %s %t;", level, l.Path, l.Stderr)
		targets = append(targets, t)
	}
	return targets, key, nil
}
