package request

import (
	"strconv"

	"github.com/weir-lb/weir/lb/variable"
)

// Env is what variables tell about the process rather than the request.
type Env struct {
	Hostname string
	PID      int
	Version  string // weir's
	// Counts returns the connections at this moment: all, those being read,
	// written to, and idle; nil: the variables are left out. It is called from
	// many goroutines.
	Counts func() (active, reading, writing, waiting int64)
}

// AddVariables adds every variable that a request can tell, in nginx's formats.
func AddVariables(t *variable.Table, env Env) {
	variable.AddClock(t)
	addProcess(t, env)
	addConnection(t)
	addTLS(t)
	addLine(t)
	addTarget(t)
	addFile(t)
	addBody(t)
	addFields(t)
	addReply(t)
	addUpstream(t)
	addCacheFacts(t)
	addCaptures(t)
}

// getter is the form in which this package writes getters.
type getter func(r *Request) (value []byte, found bool)

// add puts a read-only variable into the table. Every Source of an HTTP
// configuration is a *Request.
func add(t *variable.Table, name string, get getter) {
	t.Add(variable.Variable{Name: name, Get: func(s variable.Source) ([]byte, bool) {
		return get(s.(*Request))
	}})
}

// addCached is add for a value worth keeping.
func addCached(t *variable.Table, name string, get getter) {
	t.AddCached(name, func(s variable.Source) ([]byte, bool) { return get(s.(*Request)) })
}

// addFamily puts a family of variables into the table; get makes the getter
// for the rest of a name.
func addFamily(t *variable.Table, prefix string, get func(rest string) getter) {
	t.AddPrefix(prefix, func(rest string) variable.Variable {
		g := get(rest)
		return variable.Variable{Get: func(s variable.Source) ([]byte, bool) { return g(s.(*Request)) }}
	})
}

// number writes a number into the arena.
func (r *Request) number(n int64) ([]byte, bool) {
	if 0 <= n && n < 10 {
		return digits[n : n+1 : n+1], true
	}
	return r.arena.Keep(strconv.AppendInt(r.arena.Take(), n, 10)), true
}

var digits = []byte("0123456789")

// addProcess adds what is the same for every request.
func addProcess(t *variable.Table, env Env) {
	for name, text := range map[string]string{
		"hostname":      env.Hostname,
		"pid":           strconv.Itoa(env.PID),
		"nginx_version": env.Version, // for logs that name it; weir's own, since there is no other
		"weir_version":  env.Version,
	} {
		value := []byte(text)
		add(t, name, func(*Request) ([]byte, bool) { return value, true })
	}
	if env.Counts == nil {
		return
	}
	add(t, "connections_active", func(r *Request) ([]byte, bool) {
		n, _, _, _ := env.Counts()
		return r.number(n)
	})
	add(t, "connections_reading", func(r *Request) ([]byte, bool) {
		_, n, _, _ := env.Counts()
		return r.number(n)
	})
	add(t, "connections_writing", func(r *Request) ([]byte, bool) {
		_, _, n, _ := env.Counts()
		return r.number(n)
	})
	add(t, "connections_waiting", func(r *Request) ([]byte, bool) {
		_, _, _, n := env.Counts()
		return r.number(n)
	})
}
