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
// The side towards upstreams is a Client: one connection, over which many
// exchanges run, each on a ClientStream:
//
//	client.go          the connection, and how many exchanges it holds
//	client_stream.go   one exchange, as the proxy sees it
//	client_send.go     requests
//	client_receive.go  frames of the peer
//	client_head.go     heads of replies, and what must not be in them
//	client_body.go     where bodies wait to be passed on
//	client_out.go      what waits to be written
//	wait.go            waiting for the peer, at no cost while it is quick
//
// The server's side:
//
//	server.go         a connection and its streams
//	server_frame.go   what each frame does
//	server_head.go    header blocks become requests, by the rules of RFC 9113
//	server_stream.go  one stream: reading its body, waiting, its end
//	server_write.go   replies: DATA, as the windows and the client allow
//	server_reply.go   replies: heads and trailers
//	server_end.go     GOAWAY, and what else ends a connection
//	output.go         what is sent, in one write for many streams
//	queue.go          who waits for room, the urgent ones first
//	conduct.go        what a client may do to no purpose
//	worker.go         the goroutines that streams run on
//
// One goroutine reads; it is the caller of Receive. Streams run on workers. The
// state of a connection and of its streams is kept by one lock.
//
// Compressing is our own because the library's encoder keeps strings: it would
// allocate for each field of each reply.
package http2
