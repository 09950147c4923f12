package static

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// reply sends a file, or what of it the client asked for.
func (f *Files) reply(r *request.Request, file *os.File, info fs.FileInfo) request.Verdict {
	size, v := info.Size(), request.Validators{LastModified: info.ModTime().Truncate(time.Second)}
	if f.etag {
		arena := r.Arena()
		v.ETag = arena.Keep(AppendETag(arena.Take(), v.LastModified, size))
	}
	p := &r.Reply
	if r.ErrStatus != 0 && r.ErrStatus != http.StatusOK {
		// The page of an error is always sent whole, and without a date: the
		// page is not what was asked for.
		f.fill(p, r, v)
		p.LastModified, p.Length = time.Time{}, size
		return send(r, file, request.Range{End: size})
	}
	r.ErrStatus = 0
	switch request.Condition(&r.Head, v, f.modified) {
	case http.StatusPreconditionFailed:
		return r.Reject(http.StatusPreconditionFailed)
	case http.StatusNotModified:
		f.fill(p, r, v)
		p.Status, p.ContentType, p.Length, p.NoBody = http.StatusNotModified, nil, -1, true
		return send(r, file, request.Range{})
	}
	var few [8]request.Range
	ranges, outcome := few[:0], request.RangeIgnored
	if value, ok := r.Head.Get(request.FieldRange); ok && request.RangeHolds(&r.Head, v) {
		ranges, outcome = request.ParseRanges(ranges, value, size, f.maxRanges)
	}
	switch outcome {
	case request.RangeUnsatisfiable:
		arena := r.Arena()
		p.Add("Content-Range", arena.Keep(request.AppendUnsatisfied(arena.Take(), size)))
		return r.Reject(http.StatusRequestedRangeNotSatisfiable)
	case request.RangePartial:
		f.fill(p, r, v)
		p.Status = http.StatusPartialContent
		if len(ranges) > 1 {
			return sendParts(r, file, size, ranges)
		}
		arena := r.Arena()
		p.Add("Content-Range", arena.Keep(request.AppendContentRange(arena.Take(), ranges[0], size)))
		p.Length = ranges[0].Len()
		return send(r, file, ranges[0])
	}
	f.fill(p, r, v)
	p.Ranges, p.Length = f.maxRanges != 0, size
	return send(r, file, request.Range{End: size})
}

// fill sets what all replies with a file have in common.
func (f *Files) fill(p *request.Reply, r *request.Request, v request.Validators) {
	p.Status, p.Local, p.Cacheable = http.StatusOK, true, true
	p.ContentType = f.types.Of(r.Path)
	p.ETag, p.LastModified = v.ETag, v.LastModified
}

// AppendETag writes the entity tag of a file as nginx does: its time and its
// size in hexadecimal digits, so that equal files on several servers agree.
func AppendETag(dst []byte, modified time.Time, size int64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, modified.Unix(), 16)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, size, 16)
	return append(dst, '"')
}

// send writes the head and one part of the file.
func send(r *request.Request, file *os.File, part request.Range) request.Verdict {
	err := r.Out.Begin()
	if err == nil && !r.Reply.NoBody && part.Len() > 0 {
		err = r.Out.SendFile(file, part.Start, part.Len())
	}
	return finish(r, file, err)
}

// sendParts writes the head and several parts as multipart/byteranges.
func sendParts(r *request.Request, file *os.File, size int64, ranges []request.Range) request.Verdict {
	m := request.NewMultipart(r.Reply.ContentType, size)
	r.Reply.ContentType = m.ContentType()
	r.Reply.Length = m.Length(ranges)
	err := r.Out.Begin()
	if r.Reply.NoBody {
		return finish(r, file, err)
	}
	var head []byte
	for _, part := range ranges {
		if err == nil {
			head = m.AppendPart(head[:0], part)
			err = r.Out.Write(head)
		}
		if err == nil {
			err = r.Out.SendFile(file, part.Start, part.Len())
		}
	}
	if err == nil {
		err = r.Out.Write(m.AppendEnd(head[:0]))
	}
	return finish(r, file, err)
}

// finish ends the reply; one that broke off must not look complete.
func finish(r *request.Request, file *os.File, err error) request.Verdict {
	if err == nil {
		err = r.Out.End(nil)
	}
	if err != nil {
		r.Reply.Broken = true
		if errors.Is(err, io.ErrUnexpectedEOF) {
			r.LogError(errorlog.Alert, quoted([]byte(file.Name()))+" was truncated while it was sent")
		}
	}
	return request.Done
}
