package variable

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

// constants adds variables with fixed values, "name=value"; one without a
// value has none at run time either.
func constants(t *Table, pairs ...string) {
	for _, p := range pairs {
		name, value, found := strings.Cut(p, "=")
		t.Add(Variable{Name: name, Get: func(s Source) ([]byte, bool) {
			return s.Arena().Copy([]byte(value)), found
		}})
	}
}

func text(t testing.TB, table Names, raw string) *Text {
	t.Helper()
	x, err := Compile(table, raw)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestText(t *testing.T) {
	t.Parallel()
	table := NewTable()
	constants(table, "a=1", "ab_2=two", "none", "1=first", "long="+strings.Repeat("x", 5000))
	table.AddPrefix("arg_", func(rest string) Variable {
		return Variable{Get: func(Source) ([]byte, bool) { return []byte("<" + rest + ">"), true }}
	})
	table.AddPrefix("arg_deep_", func(rest string) Variable {
		return Variable{Get: func(Source) ([]byte, bool) { return []byte("{" + rest + "}"), true }}
	})
	for _, tt := range []struct{ raw, want string }{
		{"", ""},
		{"plain", "plain"},
		{"$a", "1"},
		{"$A$a", "11"},
		{"${a}b", "1b"},
		{"$ab_2-$a", "two-1"},
		{"-$none-", "--"},
		{"$10", "first0"},
		{"$arg_X_y $arg_deep_z", "<x_y> {z}"},
		{"$a.$a", "1.1"},
		{"[$long]", "[" + strings.Repeat("x", 5000) + "]"},
		{strings.Repeat("$a", 20), strings.Repeat("1", 20)},
	} {
		x := text(t, table, tt.raw)
		if got := string(x.Value(&source{})); got != tt.want {
			t.Errorf("%s: Value %q, want %q", tt.raw, got, tt.want)
		}
		if got := string(x.Append([]byte("> "), &source{})); got != "> "+tt.want {
			t.Errorf("%s: Append %q, want %q", tt.raw, got, tt.want)
		}
		if static, ok := x.Static(); ok != !strings.Contains(tt.raw, "$") || ok && string(static) != tt.want {
			t.Errorf("%s: Static %q %t", tt.raw, static, ok)
		}
		if x.String() != tt.raw {
			t.Errorf("%s: String %s", tt.raw, x)
		}
	}
}

func TestNilText(t *testing.T) {
	t.Parallel()
	var x *Text
	static, ok := x.Static()
	if x.String() != "" || x.Value(nil) != nil || x.Append(nil, nil) != nil || static != nil || !ok {
		t.Error("a nil text is not the empty text")
	}
}

func TestTextErrors(t *testing.T) {
	t.Parallel()
	table := NewTable()
	table.AddPrefix("arg_", func(string) Variable { return Variable{} })
	for _, tt := range []struct{ raw, want string }{
		{"$none", `unknown "none" variable`},
		{"a $arg_", `unknown "arg_" variable`},
		{"$", "invalid variable name"},
		{"a$-b", "invalid variable name"},
		{"${a", "closing bracket"},
		{"${}", "invalid variable name"},
		{"${a-b}", "invalid variable name"},
	} {
		_, err := CompileConfig(table, config.Text{Value: tt.raw, Pos: config.Pos{File: "f", Line: 9}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasSuffix(err.Error(), " in f:9") {
			t.Errorf("%s: %v, want %q", tt.raw, err, tt.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "$a", "${a}b$", "$1$10", "a${", "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		table := NewTable()
		constants(table, "a=1", "1=2")
		x, err := Compile(table, raw)
		if err != nil {
			return
		}
		if v, a := x.Value(&source{}), x.Append(nil, &source{}); !bytes.Equal(v, a) {
			t.Errorf("%q: %q and %q", raw, v, a)
		}
	})
}

func TestTrue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "0": false, "1": true, "00": true, "no": true, " ": true} {
		if True([]byte(value)) != want {
			t.Errorf("%q: not %t", value, want)
		}
	}
}

func TestAssigned(t *testing.T) {
	t.Parallel()
	table := NewTable()
	v, err := table.AddAssigned("Mine")
	if err != nil {
		t.Fatal(err)
	}
	again, err := table.AddAssigned("mine")
	if err != nil || again != v {
		t.Errorf("%v %v", again, err)
	}
	s := &source{}
	if value, found := v.Get(s); found || len(value) != 0 {
		t.Errorf("before: %q %t", value, found)
	}
	v.Set(s, []byte("x"))
	if value, found := v.Get(s); !found || string(value) != "x" {
		t.Errorf("after: %q %t", value, found)
	}
	constants(table, "host=h")
	if _, err := table.AddAssigned("host"); err == nil || err.Error() != `the duplicate "host" variable` {
		t.Error(err)
	}
}

func TestCached(t *testing.T) {
	t.Parallel()
	table := NewTable()
	calls := 0
	table.AddCached("once", func(Source) ([]byte, bool) {
		calls++
		return []byte("v"), true
	})
	x, s := text(t, table, "$once$once"), &source{}
	if got := string(x.Value(s)) + string(x.Value(s)); got != "vvvv" || calls != 1 {
		t.Errorf("%q after %d calls", got, calls)
	}
	x.Value(&source{})
	if calls != 2 {
		t.Errorf("%d calls for two sources", calls)
	}
}

func TestArena(t *testing.T) {
	t.Parallel()
	var a Arena
	var kept [][]byte
	for i := range 300 {
		kept = append(kept, a.Copy(bytes.Repeat([]byte{byte(i)}, i)))
	}
	for i, b := range kept {
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, i)) {
			t.Fatalf("value %d was overwritten", i)
		}
	}
	one := a.Bytes(4)
	two := a.Keep(append(a.Take(), "abc"...))
	_ = append(one, "overflow"...)
	if string(two) != "abc" {
		t.Errorf("a value ran into its neighbour: %q", two)
	}
}

func TestArenaAllocatesNothingWhenGrown(t *testing.T) {
	var a Arena
	value := bytes.Repeat([]byte("v"), 700)
	use := func() {
		a.Reset()
		for range 10 {
			a.Copy(value)
		}
		a.Bytes(100)
	}
	for range 5 {
		use()
	}
	if n := testing.AllocsPerRun(50, use); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
