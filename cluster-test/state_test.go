package clustertest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// noStateInPackages: several whole nodes must run in one process, so what changes belongs to a node. A package may hold
// values that are made once and only read. Found are variables that some function assigns or takes the address of, and
// those of types that exist to be changed.
func noStateInPackages(t *testing.T, h house) {
	vars := map[string]map[string]source{} // by folder, then by name
	for _, s := range h.files {
		if s.test {
			continue
		}
		for _, spec := range packageVars(s.ast) {
			if kind := changeable(spec); kind != "" {
				t.Errorf("%s:%d: a %s of the package; it belongs to a node", s.path, h.line(spec), kind)
			}
			for _, name := range spec.Names {
				if vars[s.dir] == nil {
					vars[s.dir] = map[string]source{}
				}
				vars[s.dir][name.Name] = s
			}
		}
	}
	for _, s := range h.files {
		if s.test {
			continue
		}
		for _, name := range changed(s.ast) {
			if isPackageVar(s.ast, name) && vars[s.dir][name.Name].ast != nil {
				t.Errorf("%s:%d: %s is a variable of the package, and changed here", s.path, h.line(name), name.Name)
			}
		}
	}
}

func packageVars(file *ast.File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				specs = append(specs, spec.(*ast.ValueSpec))
			}
		}
	}
	return specs
}

// changeable names the type of a variable that can only be there to be changed. A sync.Pool may stay: what it gives is as
// good as new.
func changeable(spec *ast.ValueSpec) string {
	of := spec.Type
	if of == nil && len(spec.Values) == 1 {
		if literal, ok := spec.Values[0].(*ast.CompositeLit); ok {
			of = literal.Type
		}
	}
	if index, ok := of.(*ast.IndexExpr); ok {
		of = index.X
	}
	sel, ok := of.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	name := ""
	if x, ok := sel.X.(*ast.Ident); ok {
		name = x.Name + "." + sel.Sel.Name
	}
	if strings.HasPrefix(name, "atomic.") || strings.HasPrefix(name, "sync.") && name != "sync.Pool" {
		return name
	}
	return ""
}

// changed returns the names at the root of everything a file assigns, counts up or takes the address of.
func changed(file *ast.File) []*ast.Ident {
	var names []*ast.Ident
	add := func(e ast.Expr) {
		if name := root(e); name != nil && name.Name != "_" {
			names = append(names, name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					add(e)
				}
			}
		case *ast.IncDecStmt:
			add(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				add(n.X)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
				add(n.Args[0])
			}
		}
		return true
	})
	return names
}

func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// isPackageVar tells a variable of the package from a local one of the same name: the parser resolves local names.
func isPackageVar(file *ast.File, name *ast.Ident) bool {
	if name.Obj == nil {
		return true // unresolved in this file: declared in another one of the package, or imported
	}
	spec, ok := name.Obj.Decl.(*ast.ValueSpec)
	if !ok {
		return false
	}
	for _, v := range packageVars(file) {
		if v == spec {
			return true
		}
	}
	return false
}
