// Package clustertest starts whole nodes, many of them in one process, and tells stories of them. Its file house_test.go
// keeps the rules of the house: who may import whom, where each library lives, how long a file may be.
package clustertest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weir-lb/weir/"

// source is one Go file of the project.
type source struct {
	path  string // from the top, with slashes
	dir   string // its package's folder
	test  bool
	lines []string
	ast   *ast.File
}

// house is all of the project's Go.
type house struct {
	files []source
	fset  *token.FileSet
}

// top is the folder of go.mod.
const top = ".."

func loadHouse(t *testing.T) house {
	t.Helper()
	h := house{fset: token.NewFileSet()}
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != top && (name == "testdata" || name == "bin" || name == "run" && filepath.Dir(path) == top || name[0] == '.') {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(h.fset, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		slash := filepath.ToSlash(relative)
		h.files = append(h.files, source{
			path: slash, dir: strings.TrimSuffix(slash, "/"+name), test: strings.HasSuffix(name, "_test.go"),
			lines: strings.Split(string(text), "\n"), ast: file,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.files) < 50 {
		t.Fatalf("only %d Go files found", len(h.files))
	}
	return h
}

// imports returns what a file imports.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.ast.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

func (h house) line(n ast.Node) int { return h.fset.Position(n.Pos()).Line }

// TestHouse keeps the rules. Each is a function below, which reports what breaks it.
func TestHouse(t *testing.T) {
	t.Parallel()
	h := loadHouse(t)
	for name, rule := range map[string]func(*testing.T, house){
		"imports go down":             importsGoDown,
		"libraries have one home":     librariesHaveOneHome,
		"packages tell their job":     packagesTellTheirJob,
		"exported names are told":     exportedNamesAreTold,
		"files are short":             filesAreShort,
		"functions are short":         functionsAreShort,
		"tests do not sleep":          testsDoNotSleep,
		"tests skip by one door":      testsSkipByOneDoor,
		"no state in packages":        noStateInPackages,
		"no init functions":           noInitFunctions,
		"no marks left over":          noMarksLeftOver,
		"nothing replaced in modules": nothingReplaced,
		"top names are known":         topNamesAreKnown,
		"life of a request is true":   lifeOfRequestIsTrue,
	} {
		t.Run(name, func(t *testing.T) { rule(t, h) })
	}
}

// level is the layer of each package; an import goes to a lower one only. A new package gets its line here, by thought.
func level() map[string]int {
	return map[string]int{
		"config/errno": -1, "config/durable": -1, "lb/epoll": -1,
		"config": 0, "gossip": 0, "discovery/dnstest": 0, "lb/listen": 0, "lb/errorlog": 0, "lb/wire": 0,
		"node/link": 1, "node/control": 1, "lb/variable": 1, "lb/cache/store": 1, "lb/cert": 1, "lb/upstream": 1, "consensus": 1, "discovery": 1,
		"lb/request": 2, "lb/accesslog": 2,
		"lb/http1": 3, "lb/http2": 3, "lb/route": 3, "lb/access": 3, "lb/limit": 3, "lb/cache": 3, "lb/static": 3,
		"lb/connect": 4,
		"lb/proxy":   5, "lb/stream": 5, "lb/health": 5,
		"lb":  6,
		"api": 7, "lb/lbtest": 7,
		"node":     8,
		"cmd/weir": 9, "cluster-test": 9,
	}
}

// only names all that a package may import of ours, where that is less than its level allows.
func only() map[string][]string {
	return map[string][]string{
		"lb/upstream": {"config"},
		"lb/http1":    {"lb/request", "lb/variable"},
		"lb/http2":    {"lb/request", "lb/variable", "lb/wire"},
		"consensus":   {"config", "config/durable"},
		"discovery":   {"config"},
	}
}

// apart names packages of which none may import another.
func apart() [][]string {
	return [][]string{
		{"lb/access", "lb/limit", "lb/cache", "lb/proxy"},
		{"gossip", "consensus", "discovery"},
	}
}

// outside is everything that serves examples, tests and measurements; the product imports nothing of it.
func outside(dir string) bool {
	return strings.HasPrefix(dir, "examples/") || strings.HasPrefix(dir, "cluster-test/")
}

func importsGoDown(t *testing.T, h house) {
	levels := level()
	for _, s := range h.files {
		if s.test {
			continue
		}
		from, known := levels[s.dir]
		if !known && !outside(s.dir) {
			t.Errorf("%s: package %s has no level in house_test.go", s.path, s.dir)
			continue
		}
		for _, path := range s.imports() {
			to, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if reason := forbidden(s.dir, to, from, levels); reason != "" {
				t.Errorf("%s imports %s: %s", s.path, to, reason)
			}
		}
	}
}

// forbidden tells why one package may not import another, or nothing.
func forbidden(dir, to string, from int, levels map[string]int) string {
	cluster := []string{"gossip", "consensus", "discovery", "discovery/dnstest", "api", "node"}
	allowed, limited := only()[dir]
	switch {
	case outside(dir), outside(to) && dir == "lb/lbtest": // which is for tests, too
		return ""
	case outside(to):
		return "it serves examples and tests only"
	case levels[to] >= from:
		return "imports go to a lower level only"
	case limited && !slices.Contains(allowed, to):
		return "it may import only " + strings.Join(allowed, ", ")
	case (dir == "lb" || strings.HasPrefix(dir, "lb/")) && slices.Contains(cluster, to):
		return "the balancer knows nothing of the cluster"
	}
	for _, group := range apart() {
		if slices.Contains(group, dir) && slices.Contains(group, to) {
			return "these two know nothing of each other"
		}
	}
	return ""
}

func librariesHaveOneHome(t *testing.T, h house) {
	homes := map[string][]string{
		"github.com/hashicorp/memberlist":    {"gossip"},
		"github.com/hashicorp/raft":          {"consensus"},
		"github.com/hashicorp/raft-boltdb":   {"consensus"},
		"github.com/hashicorp/go-hclog":      {"consensus"},
		"go.etcd.io/bbolt":                   {"consensus"},
		"github.com/anishathalye/porcupine":  {"consensus", "cluster-test"},
		"github.com/miekg/dns":               {"discovery", "discovery/dnstest"},
		"golang.org/x/net/http2":             {"lb/http2"},
		"github.com/pires/go-proxyproto":     {"lb/listen"},
		"github.com/dlclark/regexp2":         {"lb/variable"},
		"golang.org/x/crypto":                {"lb/upstream"},
		"github.com/youmark/pkcs8":           {"lb/cert"},
		"github.com/GehirnInc/crypt":         {"lb/access"},
		"github.com/hashicorp/go-sockaddr":   {"gossip"},
		"github.com/hashicorp/go-msgpack/v2": {"consensus"},
		"google.golang.org/grpc":             {"cluster-test"},
	}
	for _, s := range h.files {
		for _, path := range s.imports() {
			for library, dirs := range homes {
				if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(dirs, s.dir) {
					t.Errorf("%s imports %s, whose home is %s", s.path, path, strings.Join(dirs, ", "))
				}
			}
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(path, module) && !slices.ContainsFunc(keys(homes), func(library string) bool {
				return path == library || strings.HasPrefix(path, library+"/")
			}) {
				t.Errorf("%s imports %s, which has no home in house_test.go", s.path, path)
			}
		}
	}
}

func keys(m map[string][]string) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	return all
}

func packagesTellTheirJob(t *testing.T, h house) {
	comments := map[string]int{}
	for _, s := range h.files {
		name := s.ast.Name.Name
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "manager"}, name) {
			t.Errorf("%s: %s is no name for a package", s.path, name)
		}
		if strings.HasSuffix(name, "_test") {
			continue
		}
		comments[s.dir] += 0
		if doc := s.ast.Doc; doc != nil {
			comments[s.dir]++
			first, _, _ := strings.Cut(doc.Text(), "\n")
			if !strings.HasPrefix(first, "Package "+name+" ") && !strings.HasPrefix(first, "Command "+filepath.Base(s.dir)+" ") {
				t.Errorf("%s: the package comment begins %q", s.path, first)
			}
		}
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("package %s has %d package comments, not one", dir, n)
		}
	}
}

func exportedNamesAreTold(t *testing.T, h house) {
	for _, s := range h.files {
		if s.test || s.ast.Name.Name == "main" {
			continue
		}
		for _, d := range s.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s:%d: %s has no comment", s.path, h.line(d), d.Name.Name)
				}
			case *ast.GenDecl:
				h.specsAreTold(t, s, d)
			}
		}
	}
}

func (h house) specsAreTold(t *testing.T, s source, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil && spec.Comment == nil {
				t.Errorf("%s:%d: type %s has no comment", s.path, h.line(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && d.Doc == nil && spec.Comment == nil {
					t.Errorf("%s:%d: %s has no comment", s.path, h.line(spec), name.Name)
				}
			}
		}
	}
}

// exportedReceiver tells whether a function is no method, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	of := d.Recv.List[0].Type
	for {
		switch x := of.(type) {
		case *ast.StarExpr:
			of = x.X
		case *ast.IndexExpr:
			of = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func filesAreShort(t *testing.T, h house) {
	for _, s := range h.files {
		if len(s.lines) > 700 {
			t.Errorf("%s has %d lines, more than 700: split it by noun", s.path, len(s.lines))
		}
	}
}

func functionsAreShort(t *testing.T, h house) {
	stories := []string{"lb/serve.go", "lb/proxy/fetch.go", "node/setup.go"}
	for _, s := range h.files {
		limit := 80
		if slices.Contains(stories, s.path) {
			limit = 150
		}
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := h.fset.Position(f.End()).Line - h.line(f) + 1; n > limit && !(s.test && strings.HasPrefix(f.Name.Name, "Test")) {
				t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, h.line(f), f.Name.Name, n, limit)
			}
			if n := f.Type.Params.NumFields(); n > 5 && !s.test {
				t.Errorf("%s:%d: %s has %d parameters: use an options struct", s.path, h.line(f), f.Name.Name, n)
			}
		}
	}
}

// calls reports every call of package.name in a file.
func (h house) calls(s source, pkg string, names ...string) []int {
	var lines []int
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, sel.Sel.Name) {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == pkg || pkg == "*") {
				lines = append(lines, h.line(sel))
			}
		}
		return true
	})
	return lines
}

// testsDoNotSleep: a test waits for what it wants to see, with a deadline, or runs in fake time (testing/synctest), in
// which sleeping takes none.
func testsDoNotSleep(t *testing.T, h house) {
	for _, s := range h.files {
		if !s.test || slices.Contains(s.imports(), "testing/synctest") {
			continue
		}
		for _, line := range h.calls(s, "time", "Sleep") {
			t.Errorf("%s:%d: a test sleeps", s.path, line)
		}
	}
}

func testsSkipByOneDoor(t *testing.T, h house) {
	for _, s := range h.files {
		if !s.test || s.dir == "cluster-test/program" {
			continue
		}
		for _, line := range h.calls(s, "exec", "LookPath") {
			t.Errorf("%s:%d: program.Need looks for programs", s.path, line)
		}
		for _, line := range slices.Concat(h.calls(s, "t", "Skip", "Skipf", "SkipNow"), h.calls(s, "tb", "Skip", "Skipf", "SkipNow"), h.calls(s, "b", "Skip", "Skipf", "SkipNow")) {
			t.Errorf("%s:%d: package program skips tests, nobody else", s.path, line)
		}
	}
}

func noInitFunctions(t *testing.T, h house) {
	for _, s := range h.files {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s:%d: nothing happens by import; call it", s.path, h.line(f))
			}
		}
	}
}

func noMarksLeftOver(t *testing.T, h house) {
	// Written in pieces, so that this file does not find itself.
	marks := regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "not " + "implemented", "place" + "holder"}, "|") + `)\b`)
	for _, s := range h.files {
		for i, line := range s.lines {
			if m := marks.FindString(line); m != "" {
				t.Errorf("%s:%d: %s is left over", s.path, i+1, m)
			}
		}
	}
}

func nothingReplaced(t *testing.T, _ house) {
	text, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod: %s", strings.TrimSpace(line))
		}
	}
}

func topNamesAreKnown(t *testing.T, _ house) {
	known := []string{
		"node", "gossip", "consensus", "lb", "discovery", "cmd", "cluster-test", "vagrant", "config", "api", "docs", "examples",
		"go.mod", "go.sum", "Makefile", "README.md", "GLOSSARY.md", "SECURITY.md", "LICENSE", ".ci", ".git", ".gitignore",
		"bin", "run", // made by make, not in git
	}
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(known, entry.Name()) {
			t.Errorf("%s stands at the top, where nobody expects it", entry.Name())
		}
	}
}

// lifeOfRequestIsTrue: lb/doc.go names the file of each step; a file that has moved must be named anew.
func lifeOfRequestIsTrue(t *testing.T, h house) {
	at := slices.IndexFunc(h.files, func(s source) bool { return s.path == "lb/doc.go" })
	if at < 0 {
		if slices.ContainsFunc(h.files, func(s source) bool { return s.dir == "lb" }) {
			t.Error("lb/doc.go, which tells the life of a request, is missing")
		}
		return
	}
	names := regexp.MustCompile(`[a-z0-9_/]+\.go\b`).FindAllString(h.files[at].ast.Doc.Text(), -1)
	if len(names) == 0 {
		t.Error("lb/doc.go names no file")
	}
	for _, name := range names {
		if !slices.ContainsFunc(h.files, func(s source) bool { return s.path == name || s.path == "lb/"+name }) {
			t.Errorf("lb/doc.go names %s, which does not exist", name)
		}
	}
}
