package config

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-lb/weir/config/errno"
)

// maxDepth bounds nested includes and nested blocks. nginx has no such bound: a
// file that includes itself runs it out of file descriptors.
const maxDepth = 100

// Directive is one directive of the tree that the parser makes of the words. An
// include is not in the tree; what it includes stands in its place.
type Directive struct {
	Name  string
	Args  []string
	Pos   Pos
	Open  bool         // whether a block follows the words
	Block []*Directive // what stands in the block
	End   Pos          // place of the closing brace
}

// parser makes a tree of the main file and everything it includes.
type parser struct {
	opts  *Options
	files []File
	base  string // the conf prefix, for relative includes
}

// parseFile reads a file and parses it; errors in opening it end with at,
// unless at is the zero Pos.
func (p *parser) parseFile(name string, at Pos, depth int) ([]*Directive, error) {
	text, err := p.opts.ReadFile(name)
	if err != nil {
		return nil, &Error{Msg: "open() \"" + name + "\" failed (" + errno.Text(err) + ")", File: at.File, Line: at.Line, Err: err}
	}
	// A file that is included twice is kept, and dumped, once.
	if !slices.ContainsFunc(p.files, func(f File) bool { return f.Name == name }) {
		p.files = append(p.files, File{Name: name, Text: text})
	}
	l := newLexer(name, text)
	block, closed, err := p.parseBlock(l, depth)
	if err != nil {
		return nil, err
	}
	if closed {
		return nil, l.place().Errorf(`unexpected "}"`)
	}
	return block, nil
}

// parseGlobals parses the argument of -g: directives of the main context
// without blocks.
func (p *parser) parseGlobals(text string) ([]*Directive, error) {
	l := &lexer{file: "command line", text: []byte(text)}
	var list []*Directive
	for {
		words, end, err := l.next()
		if err != nil {
			return nil, err
		}
		switch end {
		case endFile:
			return list, nil
		case endOpen:
			return nil, l.place().Errorf("block directives are not supported in -g option")
		case endClose:
			return nil, l.place().Errorf(`unexpected "}"`)
		}
		d := newDirective(words, l.place())
		if d.Name == "include" {
			included, err := p.include(d, 0)
			if err != nil {
				return nil, err
			}
			list = append(list, included...)
			continue
		}
		list = append(list, d)
	}
}

func newDirective(words []string, at Pos) *Directive {
	return &Directive{Name: words[0], Args: append([]string(nil), words[1:]...), Pos: at}
}

// parseBlock reads directives up to a closing brace or the end of the text and
// says which it was.
func (p *parser) parseBlock(l *lexer, depth int) (list []*Directive, closed bool, err error) {
	if depth > maxDepth {
		return nil, false, l.place().Errorf("blocks and includes are nested too deep")
	}
	for {
		words, end, err := l.next()
		if err != nil {
			return nil, false, err
		}
		if end == endClose || end == endFile {
			return list, end == endClose, nil
		}
		d := newDirective(words, l.place())
		d.Open = end == endOpen
		if d.Name == "include" {
			included, err := p.include(d, depth)
			if err != nil {
				return nil, false, err
			}
			list = append(list, included...)
			continue
		}
		if d.Open {
			if err := p.parseChild(d, l, depth); err != nil {
				return nil, false, err
			}
		}
		list = append(list, d)
	}
}

func (p *parser) parseChild(d *Directive, l *lexer, depth int) error {
	block, closed, err := p.parseBlock(l, depth+1)
	if err != nil {
		return err
	}
	if !closed {
		return l.place().Errorf(`unexpected end of file, expecting "}"`)
	}
	d.Block, d.End = block, l.place()
	return nil
}

// include gives the directives of the files that an include names. A name with
// wildcards may match nothing; a plain name must exist.
func (p *parser) include(d *Directive, depth int) ([]*Directive, error) {
	if d.Open {
		return nil, d.Pos.Errorf(`directive "include" is not terminated by ";"`)
	}
	if len(d.Args) != 1 {
		return nil, d.Pos.Errorf(`invalid number of arguments in "include" directive`)
	}
	name := absolute(p.base, d.Args[0])
	if !strings.ContainsAny(name, "*?[") {
		return p.parseFile(name, d.Pos, depth+1)
	}
	names, err := p.glob(name)
	if err != nil {
		return nil, &Error{Msg: "glob() \"" + name + "\" failed", File: d.Pos.File, Line: d.Pos.Line, Err: err}
	}
	var list []*Directive
	for _, n := range names {
		included, err := p.parseFile(n, d.Pos, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, included...)
	}
	return list, nil
}

// glob expands a pattern as the shell does: in sorted order, and without hidden
// files where the pattern begins with a wildcard.
func (p *parser) glob(pattern string) ([]string, error) {
	names, err := p.opts.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil {
		return nil, err
	}
	want := strings.Split(pattern, "/")
	kept := names[:0]
	for _, name := range names {
		if !hiddenByWildcard(want, strings.Split(name, "/")) {
			kept = append(kept, name)
		}
	}
	return kept, nil
}

func hiddenByWildcard(pattern, name []string) bool {
	for i := range min(len(pattern), len(name)) {
		if strings.HasPrefix(name[i], ".") && strings.IndexAny(pattern[i], "*?[") == 0 {
			return true
		}
	}
	return false
}

// absolute gives name, or base and name if name is relative.
func absolute(base, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return filepath.Join(base, name)
}
