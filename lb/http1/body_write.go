package http1

import "github.com/weir-lb/weir/lb/request"

// ChunkTail stands behind the data of every chunk.
const ChunkTail = "\r\n"

// ChunkOverhead is how many bytes AppendChunkHead and ChunkTail take at most.
const ChunkOverhead = 16 + 2 + len(ChunkTail)

// AppendChunkHead appends the line that comes before n bytes of data (RFC
// 9112, 7.1). n is above 0: a chunk of 0 bytes would end the body.
func AppendChunkHead(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return append(dst, "\r\n"...)
}

// AppendChunk appends p as one chunk; nothing where p is empty.
func AppendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = AppendChunkHead(dst, len(p))
	dst = append(dst, p...)
	return append(dst, ChunkTail...)
}

// AppendLastChunk appends the end of a chunked body, with the trailers that
// are not skipped; trailers may be nil.
func AppendLastChunk(dst []byte, trailers *request.Head) []byte {
	dst = append(dst, "0\r\n"...)
	if trailers != nil {
		dst = trailers.AppendFields(dst)
	}
	return append(dst, "\r\n"...)
}
