// Package access decides who may ask: `allow` and `deny` by address, how
// several checks count together (`satisfy`), and which address a client behind
// trusted proxies really has (`set_real_ip_from`).
//
// What is compiled here is immutable, safe for concurrent use, and allocates
// nothing per request.
package access
