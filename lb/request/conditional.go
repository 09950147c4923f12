package request

import (
	"bytes"
	"net/http"
	"time"

	"github.com/weir-lb/weir/config"
)

// Validators are what tells one state of a resource from another (RFC 9110,
// 8.8).
type Validators struct {
	ETag         []byte    // nil: none
	LastModified time.Time // zero: unknown; whole seconds otherwise
}

// Condition judges the conditional fields of a request for a resource that
// would be answered 200. It returns 0 where the request goes on, 304 where the
// client has it already, or 412.
//
// Unlike RFC 9110, 13.2.2, but like nginx, If-None-Match does not overrule
// If-Modified-Since: both must say that nothing changed.
func Condition(h *Head, v Validators, mode config.ModifiedSince) int {
	if since, ok := h.Get(FieldIfUnmodifiedSince); ok && !unmodifiedSince(since, v) {
		return http.StatusPreconditionFailed
	}
	if list, ok := h.Get(FieldIfMatch); ok && !Matches(list, v.ETag, false) {
		return http.StatusPreconditionFailed
	}
	since, bySince := h.Get(FieldIfModifiedSince)
	list, byMatch := h.Get(FieldIfNoneMatch)
	if !bySince && !byMatch || bySince && modifiedSince(since, v, mode) || byMatch && !Matches(list, v.ETag, true) {
		return 0
	}
	return http.StatusNotModified
}

func unmodifiedSince(since []byte, v Validators) bool {
	t, ok := ParseDate(since)
	return ok && !v.LastModified.IsZero() && !t.Before(v.LastModified)
}

func modifiedSince(since []byte, v Validators, mode config.ModifiedSince) bool {
	if v.LastModified.IsZero() || mode == config.ModifiedSinceOff {
		return true
	}
	t, ok := ParseDate(since)
	if !ok {
		return true
	}
	if mode == config.ModifiedSinceBefore {
		return t.Before(v.LastModified)
	}
	return !t.Equal(v.LastModified)
}

// Matches tells whether an entity tag is in the list of If-Match or
// If-None-Match; weak compares without regard to weakness (RFC 9110, 8.8.3.2).
// A list of "*" matches whatever exists, even without a tag.
func Matches(list, etag []byte, weak bool) bool {
	if string(list) == "*" {
		return true
	}
	if etag == nil {
		return false
	}
	if weak {
		etag = bytes.TrimPrefix(etag, []byte("W/"))
	}
	for len(list) > 0 {
		list = bytes.TrimLeft(list, " \t,")
		if weak {
			list = bytes.TrimPrefix(list, []byte("W/"))
		}
		if rest, ok := bytes.CutPrefix(list, etag); ok {
			rest = bytes.TrimLeft(rest, " \t")
			if len(rest) == 0 || rest[0] == ',' {
				return true
			}
		}
		next := bytes.IndexByte(list, ',')
		if next < 0 {
			return false
		}
		list = list[next:]
	}
	return false
}

// RangeHolds tells whether If-Range, where it is there, lets Range apply
// (RFC 9110, 13.1.5): its tag or date must be that of the resource.
func RangeHolds(h *Head, v Validators) bool {
	condition, ok := h.Get(FieldIfRange)
	if !ok {
		return true
	}
	if n := len(condition); n >= 2 && condition[n-1] == '"' {
		return v.ETag != nil && bytes.Equal(condition, v.ETag) && condition[0] == '"'
	}
	t, ok := ParseDate(condition)
	return ok && !v.LastModified.IsZero() && t.Equal(v.LastModified)
}

// Precondition judges like Condition, in the order of RFC 9110, 13.2.2:
// If-Match overrules If-Unmodified-Since, and If-None-Match overrules
// If-Modified-Since, which holds for the same date and later ones.
func Precondition(h *Head, v Validators) int {
	if list, ok := h.Get(FieldIfMatch); ok {
		if !Matches(list, v.ETag, false) {
			return http.StatusPreconditionFailed
		}
	} else if since, ok := h.Get(FieldIfUnmodifiedSince); ok && !v.LastModified.IsZero() && !unmodifiedSince(since, v) {
		if _, isDate := ParseDate(since); isDate {
			return http.StatusPreconditionFailed
		}
	}
	if list, ok := h.Get(FieldIfNoneMatch); ok {
		if Matches(list, v.ETag, true) {
			return http.StatusNotModified
		}
		return 0
	}
	if since, ok := h.Get(FieldIfModifiedSince); ok && !modifiedSince(since, v, config.ModifiedSinceBefore) {
		return http.StatusNotModified
	}
	return 0
}
