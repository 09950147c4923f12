// Package app is the example application of server.js once more, in Go: a web application to stand behind a load
// balancer, whose every reply names the server that made it and whose logins live in one process only. It serves
// machines without node, and tests that want the application in their own process. README.md lists the paths; one
// table of tests holds both programs to them.
package app
