package lb

import (
	"strconv"

	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// respond answers with r.Reply.Status: by an error_page, or by weir itself.
func (w *walk) respond() request.Verdict {
	r := &w.r
	status := r.Reply.Status
	r.ErrStatus = 0 // an error of an error page takes the place of the first
	if w.cutOff && !r.Reply.HeadSent {
		r.Reply.Broken = true
	}
	if r.Reply.Broken {
		return request.Done // the client has left; the status is for the log
	}
	if closes(status) {
		r.Reply.Close = true
	}
	if page, ok := w.errorPage(status); ok {
		if r.Explains() {
			r.Explainf("error_page: status %d is answered by %s", status, page.Target)
		}
		return w.errorRedirect(status, page)
	}
	return w.reject(status)
}

// errorPage finds the error_page for a status. While one is being made,
// another counts only where recursive_error_pages was on for the first.
func (w *walk) errorPage(status int) (route.Page, bool) {
	if status < 300 || w.loc.pages == nil || w.paged ||
		w.r.Redirects >= route.MaxRedirects {
		return route.Page{}, false
	}
	return w.loc.pages.Find(status, &w.r)
}

// errorRedirect leads the request to its error page.
func (w *walk) errorRedirect(status int, page route.Page) request.Verdict {
	r := &w.r
	w.paged = w.paged || !w.loc.conf.RecursiveErrorPages
	r.ErrStatus = page.Status
	location, added := r.Reply.Location, r.Reply.Added
	r.Reply.Clear()
	r.Reply.Added = added // Content-Range, WWW-Authenticate: they belong to the status
	if page.Kind == route.PageRedirect {
		r.ErrStatus = 0
		r.Reply.Location = page.Target
		if status = page.Status; !route.IsRedirect(status) {
			status = 302
		}
		return w.reject(status)
	}
	if location != nil && status < 400 {
		r.Reply.Location = location
	}
	if r.Verb != request.VerbHead && page.Kind == route.PagePath {
		r.Verb = request.VerbGet
	}
	r.Redirects++
	return r.RedirectTo(page.Target, page.Args)
}

// fail answers with weir's own page where error pages themselves are at fault.
func (w *walk) fail(status int) request.Verdict {
	w.r.Reply.Clear()
	return w.reject(status)
}

// reject answers with weir's own page for a status.
func (w *walk) reject(status int) request.Verdict {
	r := &w.r
	p := &r.Reply
	shown := status
	if status >= 494 && status <= 497 { // internal statuses are told as 400
		shown = 400
	}
	p.Status = shown
	if r.ErrStatus != 0 {
		shown = r.ErrStatus
	}
	p.Head, p.Reason, p.Local = nil, nil, true
	if closes(status) {
		p.Close = true
	}
	if shown == 204 || shown == 304 || http1.StatusText(shown) == "" || shown < 200 {
		p.ContentType = nil
		return w.replyText(nil)
	}
	p.ContentType = []byte("text/html")
	return w.replyText(w.c.b.page(status, shown, string(w.loc.serverTokens.Value(r)) != "off"))
}

// closes tells whether the connection ends with a reply of that status, since
// the rest of the request cannot be trusted or is not wanted.
func closes(status int) bool {
	switch status {
	case 400, 413, 414, 494, 495, 496, 497, 500, 501, 505:
		return true
	}
	return false
}

// replyText sends a reply of which the whole body is here.
func (w *walk) replyText(body []byte) request.Verdict {
	r := &w.r
	p := &r.Reply
	p.Length = int64(len(body))
	p.Local = true
	if err := r.Out.Begin(); err != nil {
		p.Broken = true
		return request.Done
	}
	if err := r.Out.Write(body); err != nil {
		p.Broken = true
		return request.Done
	}
	if err := r.Out.End(nil); err != nil {
		p.Broken = true
	}
	return request.Done
}

// page is the body that weir sends with a status; it is made once for each.
func (b *Balancer) page(status, shown int, full bool) []byte {
	key := pageKey{status, shown, full}
	if p, ok := b.pages.Load(key); ok {
		return p.([]byte)
	}
	heading := itoa(int64(shown)) + " " + http1.StatusText(shown)
	if shown == 302 {
		heading = "302 Found" // unlike the status line
	}
	title, detail := heading, internalReason(status)
	if detail != "" {
		title = itoa(int64(shown)) + " " + detail
		detail = "<center>" + detail + "</center>\r\n"
	}
	server := "weir"
	if full {
		server = string(b.serverToken)
	}
	body := []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + heading +
		"</h1></center>\r\n" + detail + "<hr><center>" + server + "</center>\r\n</body>\r\n</html>\r\n")
	b.pages.Store(key, body)
	return body
}

// internalReason tells what the statuses mean that clients see as 400.
func internalReason(status int) string {
	switch status {
	case 494:
		return "Request Header Or Cookie Too Large"
	case 495:
		return "The SSL certificate error"
	case 496:
		return "No required SSL certificate was sent"
	case 497:
		return "The plain HTTP request was sent to HTTPS port"
	}
	return ""
}

type pageKey struct {
	status, shown int
	full          bool
}
