package request

import "github.com/weir-lb/weir/lb/variable"

// addReply adds what went back to the client.
func addReply(t *variable.Table) {
	add(t, "status", status)
	add(t, "body_bytes_sent", func(r *Request) ([]byte, bool) { return r.number(r.Reply.BodySent) })
	add(t, "bytes_sent", func(r *Request) ([]byte, bool) { return r.number(r.Reply.Sent) })
	add(t, "request_completion", func(r *Request) ([]byte, bool) {
		if r.Reply.Completed {
			return textOK, true
		}
		return nil, true
	})
	// Nothing is compressed by weir itself so far, so there is no ratio to tell.
	add(t, "gzip_ratio", func(*Request) ([]byte, bool) { return nil, false })
	addFamily(t, "sent_http_", func(rest string) getter {
		name := newFieldName(rest)
		own := sentFields[rest]
		return func(r *Request) ([]byte, bool) {
			if own != nil {
				if v, ok := own(r); ok {
					return v, true
				}
			}
			return r.sentField(&name)
		}
	})
}

var textOK = []byte("OK")

// status is always three digits.
func status(r *Request) ([]byte, bool) {
	n := r.Reply.Status
	if r.ErrStatus != 0 { // an error page is being made for it
		n = r.ErrStatus
	}
	return r.arena.Keep(append(r.arena.Take(), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))), true
}

// sentField collects the values of a field of the reply, of weir's own first.
func (r *Request) sentField(name *fieldName) ([]byte, bool) {
	j := joiner{arena: &r.arena, separator: ", "}
	for i := range r.Reply.Added {
		if f := &r.Reply.Added[i]; name.matchesString(f.Name) {
			j.add(f.Value)
		}
	}
	if r.Reply.Head != nil {
		name.collect(r.Reply.Head, &j, false)
	}
	return j.result()
}

func (n *fieldName) matchesString(name string) bool {
	if len(name) != len(n.variable) {
		return false
	}
	for i := range len(name) {
		c := lower(name[i])
		if c == '-' {
			c = '_'
		}
		if c != n.variable[i] {
			return false
		}
	}
	return true
}

// sentFields are the fields that a Reply holds apart from its lists.
var sentFields = map[string]getter{
	"content_type":      func(r *Request) ([]byte, bool) { return r.Reply.ContentType, r.Reply.ContentType != nil },
	"location":          func(r *Request) ([]byte, bool) { return r.Reply.Location, r.Reply.Location != nil },
	"etag":              func(r *Request) ([]byte, bool) { return r.Reply.ETag, r.Reply.ETag != nil },
	"content_length":    sentLength,
	"last_modified":     sentModified,
	"connection":        sentConnection,
	"transfer_encoding": sentEncoding,
}

// httpDate is the layout of IMF-fixdate (RFC 9110, 5.6.7), of times in UTC.
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

func sentLength(r *Request) ([]byte, bool) {
	if r.Reply.Length < 0 {
		return nil, false
	}
	return r.number(r.Reply.Length)
}

func sentModified(r *Request) ([]byte, bool) {
	if r.Reply.LastModified.IsZero() {
		return nil, false
	}
	return r.arena.Keep(r.Reply.LastModified.UTC().AppendFormat(r.arena.Take(), httpDate)), true
}

var (
	textUpgrade, textClose, textKeepAlive = []byte("upgrade"), []byte("close"), []byte("keep-alive")
	textChunked                           = []byte("chunked")
)

func sentConnection(r *Request) ([]byte, bool) {
	switch {
	case r.Reply.Status == 101:
		return textUpgrade, true
	case r.Reply.Close:
		return textClose, true
	}
	return textKeepAlive, true
}

func sentEncoding(r *Request) ([]byte, bool) {
	if r.Reply.Length >= 0 || r.Reply.NoBody || r.Version != HTTP11 || !r.Reply.HeadSent {
		return nil, false
	}
	return textChunked, true
}
