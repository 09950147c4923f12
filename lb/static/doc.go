// Package static answers requests with files: where a path leads in the file
// system (`root`, `alias`, `index`, `try_files`), what kind of content a file
// is, and which part of it the client wants.
//
// What a request's conditions and ranges mean for a file is decided by package
// request; where the RFC leaves a choice, or nginx decides otherwise, files are
// served as nginx does.
//
// No path leads out of its directory: segments ".." are refused even where a
// variable or the cut of an alias brings them in.
package static
