// Package connect reaches a peer: it dials, speaks TLS, and keeps idle
// connections for the next exchange.
//
// Idle connections of one upstream hang in a Group, newest first for each
// peer; which of them fit an exchange is told by the Profile they were made
// with. A Group outlives reloads together with its upstream, and so do its
// connections.
package connect
