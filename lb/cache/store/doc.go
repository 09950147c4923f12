// Package store keeps replies: on disk, in files of nginx's layout, with an
// index in memory, and the hottest of them in memory as a whole. It knows
// nothing of HTTP: when a reply may be kept, and whether it is still fresh,
// is decided by its caller.
//
// A Zone is one `proxy_cache_path`. It outlives configurations: a Set finds it
// again by its directory, Start gives it the settings of a new generation, and
// it ends with the last generation that closes it.
//
// # Life of an entry
//
//	ask     expected.go: Zone.Expect, before the upstream is asked, so that a
//	        purge finds what is on its way
//	begin   fill.go: Zone.Begin makes a Fill; its body is collected in memory
//	        and, when it grows, in a temporary file. Others read what has
//	        arrived so far by Fill.Reader
//	commit  the header is written, the file renamed to its place (disk.go, by
//	        the format of header.go), and the index (index.go) knows it
//	get     zone.go: Zone.Get finds the record, opens and checks the file once
//	        (open.go) and keeps it open; the second hit on a small one takes
//	        the body into memory (memory.go)
//	update  update.go: a revalidated reply gets a new header, in place
//	end     evict.go: unused for `inactive`, or the least recently used when
//	        the zone is over `max_size`, the disk under `min_free`, or the
//	        index full; purge.go: by key or by prefix
//
// # What a crash can leave
//
// A file comes to its place complete or not at all, and a header is replaced
// by writing the older of two slots. What a loss of power tears is seen by the
// checksums: of key and header whenever a file is opened, of the body once per
// file and process. A broken file is a miss, one line in the log, and removed.
// Files that are not weir's are left alone.
package store
