// Package http2 speaks HTTP/2 (RFC 9113): frames, header compression (HPACK,
// RFC 7541), flow control, streams, the order of output and the limits against
// abuse. It owns no socket and starts nothing but the goroutines that streams
// run on: bytes come in by a call and go out through a small interface.
//
// Pieces that both sides of a proxy need:
//
//	frame.go      frames: their heads, and those that are written as a whole
//	framereader.go  cuts received bytes into frames
//	code.go       error codes, and the two kinds of errors
//	setting.go    the settings of one side
//	flow.go       windows
//	field.go      what names and values of fields may hold
//	table.go encoder.go  compressing fields
//	decoder.go    decompressing them, on golang.org/x/net/http2/hpack
//
// Compressing is our own because the library's encoder keeps strings: it would
// allocate for each field of each reply.
package http2
