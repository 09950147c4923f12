// Package request holds the noun that walks through weir: one request, its
// reply, and the small interfaces by which the steps of the chain meet.
//
// A Request belongs to one connection (HTTP/1) or one stream (HTTP/2) and is
// used again for the next request, so that nothing is allocated in steady
// state. Who may change what:
//
//   - the codec fills Head, Line, Method, Target, Version and the framing of
//     the body, and nobody else does;
//   - routing and rewriting set Path, Args and the virtual server's name;
//   - realip replaces Client;
//   - the handler that produces the content fills Reply and drives Out;
//   - the log reads everything and changes nothing.
//
// Bytes are views into the connection's buffer or the request's arena; they
// are void when the request ends. A handler that keeps one copies it.
package request
