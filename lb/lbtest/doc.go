// Package lbtest runs one balancer inside a test: Start takes the text of a
// configuration, Backend is an upstream server that the test scripts, and
// Client speaks to the balancer byte by byte.
//
// Addresses in `listen` are written as usual, 127.0.0.1:8080 say; each stands
// for a free port of this machine, which Addr tells. Nothing in the package
// sleeps: what has to be waited for is waited for with a deadline.
package lbtest
