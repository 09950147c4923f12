package program_test

import (
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

// recorder stands in for a test and remembers how it was ended.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skip(...any)           { r.skipped = true }
func (r *recorder) Skipf(string, ...any)  { r.skipped = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true; panic(r) }

// ended runs a function that ends the recorder's test.
func ended(f func(r *recorder)) (r *recorder) {
	r = &recorder{}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
	}()
	f(r)
	return r
}

func TestNeed(t *testing.T) {
	cases := []struct {
		program, strict string
		skipped, failed bool
	}{
		{"sh", "", false, false},
		{"sh", "1", false, false},
		{"no-such-program", "", true, false},
		{"no-such-program", "1", false, true},
	}
	for _, c := range cases {
		t.Setenv("WEIR_NEED_PROGRAMS", c.strict)
		r := ended(func(r *recorder) { program.Need(r, c.program) })
		if r.skipped != c.skipped || r.failed != c.failed {
			t.Errorf("%+v: skipped %v, failed %v", c, r.skipped, r.failed)
		}
	}
}

func TestPermitted(t *testing.T) {
	cases := []struct {
		tried           error
		strict          string
		skipped, failed bool
	}{
		{nil, "", false, false},
		{nil, "1", false, false},
		{syscall.EPERM, "", true, false},
		{syscall.EPERM, "1", false, true},
		{syscall.EINVAL, "", false, true},
	}
	for _, c := range cases {
		t.Setenv("WEIR_NEED_PROGRAMS", c.strict)
		r := ended(func(r *recorder) { program.Permitted(r, "try", c.tried) })
		if r.skipped != c.skipped || r.failed != c.failed {
			t.Errorf("%+v: skipped %v, failed %v", c, r.skipped, r.failed)
		}
	}
}

func TestMeasure(t *testing.T) {
	for value, skipped := range map[string]bool{"": true, "0": true, "1": false} {
		t.Setenv("WEIR_MEASURE", value)
		if r := ended(func(r *recorder) { program.Measure(r) }); r.skipped != skipped {
			t.Errorf("WEIR_MEASURE=%q: skipped %v", value, r.skipped)
		}
	}
}
