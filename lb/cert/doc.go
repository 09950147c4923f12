// Package cert makes TLS configurations: for virtual servers, from their certificates and ssl_* settings, and for connections to
// upstream servers, from the proxy_ssl_* settings. It also tells the values of the $ssl_* variables.
//
// A [Server] is the TLS side of one virtual server, built once per generation. All connections of a server share its
// configuration by pointer; [Front] chooses the server by the name a client asks for. [TicketKeys] outlive generations, so that
// sessions are resumed across reloads and across virtual servers. [Deferred] has the certificates whose names are known at the
// handshake only.
//
// Client certificates are never checked inside the handshake: nginx lets the handshake succeed and answers the request with
// 495 or 496, so [Server.Verify] judges afterwards and gives OpenSSL's reason.
//
// What crypto/tls decides by itself: the order of cipher suites, the TLS 1.3 suites, and that sessions are resumed by ticket only.
// A session cache of the server is therefore not kept, whatever ssl_session_cache says. Suites that crypto/tls does not have
// (finite-field Diffie-Hellman, CAMELLIA, ARIA, CCM, AES256-SHA384) are left out of cipher lists.
//
// An idle TLS connection keeps about 7 KB in crypto/tls after its handshake, two AEAD states above all, plus the client's certificates
// if any and a read buffer as large as the largest record received (up to 17 KB) while a record is only half read. Configurations
// and certificates are shared and count once. What can be dropped is only [tls.ConnectionState]: keep an [Info] instead.
package cert
