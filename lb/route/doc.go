// Package route finds what answers a request: the virtual server by its host
// name, the location by its path, and what rewrite rules make of both.
//
// The tables are generic over their payload, the compiled server or location,
// which this package never looks into. They are filled while a configuration
// is compiled and only read afterwards, by any number of goroutines. Nothing
// here touches a socket; the only look at the file system is that of the file
// tests of `if`.
package route
