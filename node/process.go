package node

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
)

const (
	// gcPercent trades memory for fewer collections. A balancer's heap is small
	// and what it allocates beside its pooled buffers lives briefly.
	gcPercent = 400

	// memoryShare is the part of the machine's memory at which collections
	// become frequent whatever gcPercent says, so that it never costs the process.
	memoryShare = 0.7
)

// tuneMemory sets the collector's goals where the environment does not
// (GOGC, GOMEMLIMIT).
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := memoryLimit(os.ReadFile); limit > 0 {
		debug.SetMemoryLimit(int64(float64(limit) * memoryShare))
	}
}

// memoryLimit gives the bytes of memory that the process may use: those of its
// control group or of the machine, whichever is less; 0 if neither is known.
func memoryLimit(read func(string) ([]byte, error)) int64 {
	limit := int64(math.MaxInt64)
	// A file that is not there or not a number ("max") sets no limit.
	if text, err := read("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limit = min(limit, n)
		}
	}
	if text, err := read("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			limit = min(limit, kilobytes*1024)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

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
