package http1

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// SplitTarget cuts a request target into path and query. A fragment, which
// does not belong into a request, is left off both. path is empty where an
// absolute-form target had none; DecodePath makes "/" of it.
func SplitTarget(target []byte) (path, args []byte, hasArgs bool) {
	if i := bytes.IndexByte(target, '#'); i >= 0 {
		target = target[:i:i]
	}
	i := bytes.IndexByte(target, '?')
	if i < 0 {
		return target, nil, false
	}
	return target[:i:i], target[i+1:], true
}

// Bits of pathClass.
const (
	pathSlash = 1 << iota
	pathDot
	pathEscape // "%"
)

var pathClass = [256]uint8{'/': pathSlash, '.': pathDot, '%': pathEscape}

// DecodePath decodes and normalises the path of a target as locations are
// matched with it ($uri): percent-encodings are resolved, then "." and ".."
// segments, and neighbouring slashes become one with mergeSlashes. plain is
// true where the result is raw itself, byte for byte; path is then raw, else it
// is appended to dst. A ".." above the root, "%00" and a "%" without two
// hexadecimal digits are refused.
func DecodePath(dst, raw []byte, mergeSlashes bool) (path []byte, plain bool, err *request.Error) {
	if isPlain(raw, mergeSlashes) {
		return raw, true, nil
	}
	d := pathDecoder{out: dst, from: len(dst), merge: mergeSlashes}
	if !d.decode(raw) {
		return nil, false, refuse(400, "client sent invalid request while reading client request line")
	}
	path = d.out[d.from:]
	return path, bytes.Equal(path, raw), nil
}

// isPlain tells whether there is nothing to do, by the pairs of bytes that
// might need something.
func isPlain(raw []byte, mergeSlashes bool) bool {
	if len(raw) == 0 {
		return false
	}
	slash := false
	for _, c := range raw {
		class := pathClass[c]
		if class == 0 {
			slash = false
			continue
		}
		if class == pathEscape || slash && (class == pathDot || mergeSlashes) {
			return false
		}
		slash = class == pathSlash
	}
	return true
}

// pathDecoder writes a path segment by segment.
type pathDecoder struct {
	out   []byte
	from  int // where the path begins in out
	merge bool
}

// decode resolves raw; an encoded slash or dot counts like a plain one.
func (d *pathDecoder) decode(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '/' {
		d.out = append(d.out, '/')
	}
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if len(raw)-i < 3 {
				return false
			}
			high, okHigh := unhex(raw[i+1])
			low, okLow := unhex(raw[i+2])
			c = high<<4 | low
			if !okHigh || !okLow || c == 0 {
				return false
			}
			i += 2
		}
		if c != '/' {
			d.out = append(d.out, c)
			continue
		}
		dots, ok := d.endSegment()
		if !ok {
			return false
		}
		if dots || d.merge && len(d.out) > d.from && d.out[len(d.out)-1] == '/' {
			continue
		}
		d.out = append(d.out, '/')
	}
	_, ok := d.endSegment()
	return ok
}

// endSegment resolves the segment behind the last slash if it consists of dots
// that mean something; out then ends in the slash before it. ok is false where
// that would lead above the root.
func (d *pathDecoder) endSegment() (dots, ok bool) {
	p := d.out[d.from:]
	i := bytes.LastIndexByte(p, '/')
	if i < 0 {
		return false, true
	}
	switch string(p[i+1:]) {
	case ".":
	case "..":
		if i = bytes.LastIndexByte(p[:i], '/'); i < 0 {
			return false, false
		}
	default:
		return false, true
	}
	d.out = d.out[:d.from+i+1]
	return true, true
}
