package route

import (
	"bytes"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

// ErrorPages is the compiled list of a location's error_page directives.
type ErrorPages struct {
	pages map[int]errorPage
}

type errorPage struct {
	response int
	page     *variable.Text
}

// PageKind tells where an error page is found.
type PageKind uint8

// The kinds of page.
const (
	PagePath     PageKind = iota // an internal redirect to a path
	PageNamed                    // a named location
	PageRedirect                 // the client is sent to a URL
)

// Page is the page for a status.
type Page struct {
	Kind PageKind
	// Target is a path, a name with its @, or a URL.
	Target []byte
	Args   []byte // the query of a path
	// Status is what the client is told; 0: the status that the page yields.
	Status int
}

// CompileErrorPages compiles a location's error_page directives; nil without
// any. Of several for the same status the first one counts.
func CompileErrorPages(t variable.Names, list []config.ErrorPage) (*ErrorPages, error) {
	if len(list) == 0 {
		return nil, nil
	}
	e := &ErrorPages{pages: map[int]errorPage{}}
	for _, conf := range list {
		page, err := variable.CompileConfig(t, conf.Page)
		if err != nil {
			return nil, err
		}

		addOnce(e.pages, conf.Code, errorPage{conf.Response, page})
	}
	return e, nil
}

// Find returns the page for a status. The statuses from 494 to 497 are told
// the client as 400, unless the directive says otherwise.
func (e *ErrorPages) Find(status int, s variable.Source) (Page, bool) {
	if e == nil {
		return Page{}, false
	}
	p, ok := e.pages[status]
	if !ok {
		return Page{}, false
	}
	page := Page{Kind: PageRedirect, Target: p.page.Value(s), Status: status}
	switch {
	case p.response > 0:
		page.Status = p.response
	case p.response < 0:
		page.Status = 0
	case 494 <= status && status <= 497:
		page.Status = 400
	}
	if len(page.Target) > 0 {
		switch page.Target[0] {
		case '/':
			page.Kind = PagePath
			page.Target, page.Args, _ = bytes.Cut(page.Target, question)
		case '@':
			page.Kind = PageNamed
		}
	}
	if page.Kind == PageRedirect && !IsRedirect(page.Status) {
		page.Status = 302
	}
	return page, true
}
