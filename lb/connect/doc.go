// Package connect reaches a peer: it dials, speaks TLS, and keeps idle
// connections for the next exchange.
//
// Idle connections of one upstream hang in a Group, newest first for each
// peer; which of them fit an exchange is told by the Profile they were made
// with. A Group outlives reloads together with its upstream, and so do its
// connections.
//
// A connection of HTTP/1 belongs to one exchange at a time; those of HTTP/2 are
// shared (share.go), and only as many are made as the exchanges that run at a
// time need.
//
// Where a reply may be heard of a little late, as by a health check, patient
// connections (patient.go) save a third of what a short exchange costs.
package connect
