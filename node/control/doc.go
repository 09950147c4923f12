// Package control is the door for operators: HTTP with JSON over a unix socket
// in the data folder of a node, which its owner and root may open.
//
//	socket.go     who may come in
//	server.go     the routes; each is an errand in errand.go
//	node.go       what the server wants of its node
//	message.go    what goes over the socket, with parameter.go and failure.go
//	client.go     the other end
//
// The server knows nothing of agreement: it reads what is asked strictly, has
// its [Node] do it, and tells what came of it in a way that never calls failed
// what may have happened.
package control
