// Package static answers requests with files: where a path leads in the file
// system (`root`, `alias`, `index`, `try_files`), what kind of content a file
// is, and which part of it the client wants.
//
// Conditional requests (RFC 9110, 13), ranges (RFC 9110, 14) and `expires` are
// pure functions on header fields and validators, without files. Where the RFC
// leaves a choice, or nginx decides otherwise, they decide as nginx does.
//
// No path leads out of its directory: segments ".." are refused even where a
// variable or the cut of an alias brings them in.
package static
