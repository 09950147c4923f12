package main

import (
	"fmt"
	"strings"
)

// key is the kind of certificate a proxy listens with.
type key string

const (
	plain key = ""
	ecdsa key = "ecdsa"
	rsa   key = "rsa"
)

// load is the kind of traffic.
type load int

const (
	saturate load = iota // wrk: as many requests as the proxy answers
	steady               // a fixed number of requests each second
	idle                 // connections that made one request and stay open: memory, not CPU, is measured
)

// benchCase is one row of the table.
type benchCase struct {
	name  string
	about string

	load    load
	conns   int // client connections
	streams int // requests at a time on each, by HTTP/2; 0 is HTTP/1.1
	rate    int // requests each second, of a steady load

	key       key
	close     bool   // a connection, and handshake, for each request
	realistic bool   // many servers, locations and header rules, and an access log
	cached    bool   // every reply but the first comes from the cache
	host      string // of the Host field; empty: the address
	path      string
	fields    []string // request fields, "Name: value"
	post      int      // bytes of a request body; 0 is a GET

	quick  bool // part of QUICK=1
	others bool // HAProxy and Caddy take part without being asked for
}

// browserFields returns what a browser sends with a navigation, beside Host.
func browserFields() []string {
	return []string{
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language: en-GB,en;q=0.7,de;q=0.3",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Cookie: sid=3f2a9c0de4b74d21a1f09c77; theme=dark; consent=1",
		"Upgrade-Insecure-Requests: 1",
		"Sec-Fetch-Dest: document",
		"Sec-Fetch-Mode: navigate",
		"Sec-Fetch-Site: same-origin",
	}
}

// cases returns all rows in the order of the table.
func cases() []benchCase {
	browser := browserFields()
	return []benchCase{
		{name: "get-1k", about: "1 KB GET, keepalive, 64 connections", conns: 64, path: "/1k", quick: true, others: true},
		{name: "get-1k-c16", about: "1 KB GET, keepalive, 16 connections", conns: 16, path: "/1k"},
		{name: "get-1k-c256", about: "1 KB GET, keepalive, 256 connections", conns: 256, path: "/1k"},
		{name: "browser", about: "1 KB GET with a browser's header, 64 connections", conns: 64, path: "/1k", fields: browser},
		{name: "steady-4k", about: "1 KB GET, 4,000 each second over 32 connections", load: steady, rate: 4000, conns: 32, path: "/1k"},
		{name: "get-100k", about: "100 KB GET, keepalive, 64 connections", conns: 64, path: "/100k", quick: true},
		{name: "post-200", about: "POST of 200 bytes, keepalive, 64 connections", conns: 64, path: "/1k", post: 200},
		{name: "https-1k", about: "1 KB GET over HTTPS, keepalive, 64 connections", conns: 64, path: "/1k", key: ecdsa, quick: true, others: true},
		{name: "new-conn", about: "1 KB GET, a new connection for each", conns: 64, path: "/1k", close: true},
		{name: "handshake-ecdsa", about: "a new TLS connection for each 1 KB GET, ECDSA P-256", conns: 64, path: "/1k", key: ecdsa, close: true},
		{name: "handshake-rsa", about: "a new TLS connection for each 1 KB GET, RSA 2048", conns: 64, path: "/1k", key: rsa, close: true},
		{name: "realistic", about: "20 servers, 50 locations, header rules, access log; 64 connections", conns: 64, host: "shop.example.org", path: "/area37/1k", fields: browser, realistic: true},
		{name: "h2-1k", about: "1 KB GET by HTTP/2 over TLS, 16 connections of 32 streams", conns: 16, streams: 32, path: "/1k", key: ecdsa, others: true},
		{name: "h2-100k", about: "100 KB GET by HTTP/2 over TLS, 16 connections of 32 streams", conns: 16, streams: 32, path: "/100k", key: ecdsa, others: true},
		{name: "cache-1k", about: "1 KB GET out of the cache, keepalive, 64 connections", conns: 64, path: "/1k", cached: true},
		{name: "cache-100k", about: "100 KB GET out of the cache, keepalive, 64 connections", conns: 64, path: "/100k", cached: true},
		{name: "idle", about: "9,000 idle connections", load: idle, conns: 9_000, path: "/1k"},
		{name: "idle-tls", about: "2,000 idle TLS connections", load: idle, conns: 2_000, path: "/1k", key: ecdsa},
		{name: "idle-h2", about: "1,000 idle HTTP/2 connections, over TLS", load: idle, conns: 1_000, streams: 1, path: "/1k", key: ecdsa},
	}
}

// choose returns the rows that were asked for: names separated by commas, or the quick ones, or all.
func choose(names string, quick bool) ([]benchCase, error) {
	var chosen []benchCase
	if names == "" {
		for _, c := range cases() {
			if c.quick || !quick {
				chosen = append(chosen, c)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, c := range cases() {
			if c.name == name {
				chosen, found = append(chosen, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no case %q; BENCH=list lists them", name)
		}
	}
	return chosen, nil
}
