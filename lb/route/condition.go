package route

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// condition is what stands in the parentheses of an `if`.
type condition struct {
	test    config.Test
	negate  bool
	subject *variable.Text
	value   *variable.Text
	regex   *variable.Regex
}

func compileCondition(t *variable.Table, conf *config.Condition) (condition, error) {
	c := condition{test: conf.Test, negate: conf.Negate}
	var err error
	if c.subject, err = variable.CompileConfig(t, conf.Variable); err != nil {
		return c, err
	}
	if c.value, err = variable.CompileConfig(t, conf.Value); err != nil {
		return c, err
	}
	if conf.Test == config.TestRegex {
		c.regex, err = variable.CompileRegex(t, conf.Regex)
	}
	return c, err
}

func (c *condition) holds(r *request.Request) bool { return c.judge(r) != c.negate }

func (c *condition) judge(r *request.Request) bool {
	switch c.test {
	case config.TestTrue:
		return variable.True(c.subject.Value(r))
	case config.TestEqual:
		return bytes.Equal(c.subject.Value(r), c.value.Value(r))
	case config.TestRegex:
		return matchOrForget(c.regex, r, c.subject.Value(r))
	}
	return c.judgeFile(r)
}

// matchOrForget is a match of the rewrite phase: one that fails takes the
// captures of those before it away, unlike one of a location or a map.
func matchOrForget(x *variable.Regex, r *request.Request, subject []byte) bool {
	if x.Match(r, subject) {
		return true
	}
	r.SetCaptures(nil, nil)
	return false
}

// judgeFile looks a file up. What cannot be looked up does not exist.
func (c *condition) judgeFile(r *request.Request) bool {
	name := string(c.value.Value(r))
	info, err := os.Stat(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.ENAMETOOLONG) {
			r.Logf(errorlog.Crit, "%v", err)
		}
		return false
	}
	switch c.test {
	case config.TestFile:
		return info.Mode().IsRegular()
	case config.TestDir:
		return info.IsDir()
	case config.TestExec:
		return info.Mode()&0o100 != 0
	}
	return true
}
