package node

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
)

// setProcessors applies worker_processes. Auto is what the runtime finds: the
// CPUs of the machine, or the share that the control group allows, kept up to
// date; the environment's GOMAXPROCS has its say in that.
func setProcessors(n int) {
	if n == 0 {
		runtime.SetDefaultGOMAXPROCS()
		return
	}
	if n != runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(n)
	}
}

// setFileLimit applies worker_rlimit_nofile, in file descriptors. Without it the
// limit is what the runtime made of it at start: as high as the system allows.
// The hard limit is never lowered, so that a later reload may raise it again.
func setFileLimit(n int64) error {
	if n == 0 {
		return nil
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("getrlimit(RLIMIT_NOFILE) failed (%s)", errno.Text(err))
	}
	limit.Cur, limit.Max = uint64(n), max(limit.Max, uint64(n))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("setrlimit(RLIMIT_NOFILE, %d) failed (%s)", n, errno.Text(err))
	}
	return nil
}

// keptVariables are those of the environment that stay without an env
// directive: nginx's own, and the runtime's, which reads some of them again.
func keptVariables() []string {
	return []string{"TZ", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}
}

// environment gives the environment that the env directives leave, as
// "NAME=value". Later directives win.
func environment(list []config.Env, lookup func(string) (string, bool)) []string {
	values := map[string]string{}
	order := keptVariables()
	for _, name := range order {
		if v, ok := lookup(name); ok {
			values[name] = v
		}
	}
	for _, e := range list {
		order = append(order, e.Name)
		if e.Set {
			values[e.Name] = e.Value
		} else if v, ok := lookup(e.Name); ok {
			values[e.Name] = v
		}
	}
	var env []string
	for _, name := range order {
		if v, ok := values[name]; ok {
			env = append(env, name+"="+v)
			delete(values, name)
		}
	}
	return env
}

// setEnvironment applies the env directives. A time zone among them counts from
// here on; the runtime may have looked at TZ before.
func setEnvironment(list []config.Env) error {
	env := environment(list, os.LookupEnv)
	zone := os.Getenv("TZ")
	os.Clearenv()
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("env %s: %w", name, err)
		}
	}
	if tz := os.Getenv("TZ"); tz != zone {
		location, err := time.LoadLocation(strings.TrimPrefix(tz, ":"))
		if err != nil {
			return fmt.Errorf("env TZ: %w", err)
		}
		time.Local = location
	}
	return nil
}
