package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// weirPath is the path of the weir that the tests run.
func weirPath(t *testing.T) string {
	t.Helper()
	return os.Getenv(programVariable)
}

const programVariable = "WEIR_TEST_PROGRAM"

// TestMain builds weir once, as `make build` does: what that has compiled is used again.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-cmd")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "weir")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	os.Setenv(programVariable, path)
	// A test that runs as root must be able to let others run the program.
	if err := os.Chmod(dir, 0o755); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

const usage = `weir version: weir/` + version + `
Usage: weir [-?hvVtTq] [-s signal] [-p prefix]
            [-e filename] [-c filename] [-g directives]
`

func TestCommandLine(t *testing.T) {
	t.Parallel()
	const versionLine = "weir version: weir/" + version + "\n"
	const good = "weir: the configuration file DIR/good.conf syntax is ok\nweir: configuration file DIR/good.conf test is successful\n"
	const bad = "weir: [emerg] unknown directive \"foo\" in DIR/bad.conf:2\n"
	const badTest = bad + "weir: configuration file DIR/bad.conf test failed\n"
	tests := []struct {
		args   string // separated by spaces; DIR is a directory with good.conf and bad.conf
		code   int
		stderr string // the beginning of it
		stdout string
	}{
		{"-v", 0, versionLine, ""},
		{"-h", 0, usage, ""},
		{"-?", 0, usage, ""},
		{"-V", 0, versionLine + "built with go", ""},
		{"-x", 1, "weir: invalid option: \"x\"\n", ""},
		{"-vx", 1, "weir: invalid option: \"x\"\n", ""},
		{"foo", 1, "weir: invalid option: \"foo\"\n", ""},
		{"-v foo", 1, "weir: invalid option: \"foo\"\n", ""},
		{"-c", 1, "weir: option \"-c\" requires file name\n", ""},
		{"-p", 1, "weir: option \"-p\" requires directory name\n", ""},
		{"-e", 1, "weir: option \"-e\" requires file name\n", ""},
		{"-g", 1, "weir: option \"-g\" requires parameter\n", ""},
		{"-s", 1, "weir: option \"-s\" requires parameter\n", ""},
		{"-tg", 1, "weir: option \"-g\" requires parameter\n", ""},
		{"-s foo", 1, "weir: invalid option: \"-s foo\"\n", ""},
		{"-ssto", 1, "weir: invalid option: \"-s sto\"\n", ""},

		{"-t -c DIR/good.conf", 0, good, ""},
		{"-t -cDIR/good.conf", 0, good, ""},
		{"-tc DIR/good.conf", 0, good, ""},
		{"-tcDIR/good.conf", 0, good, ""},
		{"-t -p DIR -c good.conf", 0, good, ""},
		{"-t -pDIR/ -cgood.conf", 0, good, ""},
		{"-vt -c DIR/good.conf", 0, versionLine + good, ""},
		{"-t -q -c DIR/good.conf", 0, "", ""},
		{"-tq -c DIR/good.conf", 0, "", ""},
		{"-T -c DIR/good.conf", 0, good, "# configuration file DIR/good.conf:\nGOOD\n"},
		{"-Tq -c DIR/good.conf", 0, "", "# configuration file DIR/good.conf:\nGOOD\n"},
		{"-t -c DIR/bad.conf", 1, badTest, ""},
		{"-tq -c DIR/bad.conf", 1, badTest, ""},
		{"-T -c DIR/bad.conf", 1, badTest, ""},
		{"-c DIR/bad.conf", 1, bad, ""},
		{"-s reload -c DIR/bad.conf", 1, bad, ""},
		{"-s reload -c DIR/good.conf", 1, "weir: [error] open() \"DIR/weir.pid\" failed (2: No such file or directory)\n", ""},
		{"-t -c DIR/no.conf", 1, "weir: [emerg] open() \"DIR/no.conf\" failed (2: No such file or directory)\n" +
			"weir: to begin with, write this to the file and try it with -t:\n\nevents {}\n", ""},
		{"-t -c DIR/good.conf -g foo", 1, "weir: [emerg] unexpected end of parameter, expecting \";\" in command line\n", ""},
		{"-t -c DIR/good.conf -g foo;", 1, "weir: [emerg] unknown directive \"foo\" in command line\n", ""},
		{"-t -c DIR/good.conf -g daemon\ton;", 0, good, ""},
		{"-t -c DIR", 1, "weir: [", ""},
	}
	dir := t.TempDir()
	goodText := "pid DIR/weir.pid; error_log DIR/error.log notice;\nevents {}\n"
	for name, text := range map[string]string{"good.conf": goodText, "bad.conf": "events {}\nfoo bar;\n"} {
		writeFile(t, filepath.Join(dir, name), strings.ReplaceAll(text, "DIR", dir))
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			fill := strings.NewReplacer("DIR", dir, "GOOD", strings.ReplaceAll(goodText, "DIR", dir)).Replace
			var stdout, stderr bytes.Buffer
			code := run(append([]string{"weir"}, strings.Split(fill(tt.args), " ")...), &stdout, &stderr)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got, want := stderr.String(), fill(tt.stderr); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("stderr:\n%swant:\n%s", got, want)
			}
			if got, want := stdout.String(), fill(tt.stdout); got != want {
				t.Errorf("stdout:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestEmptyArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		err  string
	}{
		{[]string{""}, `invalid option: ""`},
		{[]string{"-c", ""}, `option "-c" requires file name`},
		{[]string{"-s", ""}, `option "-s" requires parameter`},
	}
	for _, tt := range tests {
		if _, err := parseFlags(tt.args); err == nil || err.Error() != tt.err {
			t.Errorf("%q: %v", tt.args, err)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// FuzzParseFlags: what is accepted has a known signal and no empty values.
func FuzzParseFlags(f *testing.F) {
	f.Add("-tc\x00weir.conf")
	f.Add("-sreload\x00-p\x00/x\x00-e/y")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		got, err := parseFlags(args)
		if err != nil {
			if got != (flags{}) || err.Error() == "" {
				t.Errorf("%q: %+v with error %v", args, got, err)
			}
			return
		}
		if got.dump && !got.test || got.help && !got.version {
			t.Errorf("%q: %+v", args, got)
		}
		for _, value := range []string{got.file, got.prefix, got.errorLog, got.globals, got.signal} {
			if !strings.Contains(line, value) {
				t.Errorf("%q: made up %q", args, value)
			}
		}
	})
}
