package config

import "time"

// cacheRows are proxy_cache_path, the proxy_cache* directives and their kin.
func cacheRows() []row {
	c := func(s *scope) *CacheSettings { return &s.settings.ProxySettings.Cache }
	all := func(name string, a args, set setter) row { return row{name: name, in: inHTTPAll, args: a, set: set} }
	list := func(name string, set setter) row {
		return row{name: name, in: inHTTPAll, args: argsMore1, many: true, set: set}
	}
	return []row{
		{name: "proxy_cache_path", in: InHTTP, args: argsMore2, many: true, set: setCachePath},
		all("proxy_cache", args1, setCache),
		all("proxy_cache_key", args1, text(func(s *scope) *Text { return &c(s).Key })),
		list("proxy_cache_valid", setCacheValid),
		list("proxy_cache_methods", set(func(s *scope) *CacheMethods { return &c(s).Methods },
			word[CacheMethods]{"GET", CacheGet}, word[CacheMethods]{"HEAD", CacheHead}, word[CacheMethods]{"POST", CachePost})),
		all("proxy_cache_min_uses", args1, number(func(s *scope) *int { return &c(s).MinUses })),
		list("proxy_cache_bypass", texts(func(s *scope) *[]Text { return &c(s).Bypass })),
		list("proxy_no_cache", texts(func(s *scope) *[]Text { return &c(s).NoStore })),
		list("proxy_cache_purge", texts(func(s *scope) *[]Text { return &c(s).Purge })),
		list("proxy_cache_use_stale", set(func(s *scope) *UseStale { return &c(s).UseStale }, useStaleWords()...)),
		all("proxy_cache_background_update", argsFlag, flag(func(s *scope) *bool { return &c(s).Background })),
		all("proxy_cache_revalidate", argsFlag, flag(func(s *scope) *bool { return &c(s).Revalidate })),
		all("proxy_cache_lock", argsFlag, flag(func(s *scope) *bool { return &c(s).Lock })),
		all("proxy_cache_lock_timeout", args1, msec(func(s *scope) *time.Duration { return &c(s).LockTimeout })),
		all("proxy_cache_lock_age", args1, msec(func(s *scope) *time.Duration { return &c(s).LockAge })),
		all("proxy_cache_convert_head", argsFlag, flag(func(s *scope) *bool { return &c(s).ConvertHead })),
		all("proxy_cache_max_range_offset", args1, offset(func(s *scope) *int64 { return &c(s).MaxRangeOffset })),
		all("proxy_cache_rfc", argsFlag, flag(func(s *scope) *bool { return &c(s).RFC })),
		all("proxy_force_ranges", argsFlag, flag(func(s *scope) *bool { return &c(s).ForceRanges })),
		all("slice", args1, size(func(s *scope) *int64 { return &c(s).Slice })),
		all("proxy_store", args1, setStore),
		all("proxy_store_access", args1|args2|args3, setStoreAccess),
	}
}

func useStaleWords() []word[UseStale] {
	return []word[UseStale]{
		{"error", StaleError}, {"timeout", StaleTimeout}, {"invalid_header", StaleInvalidHeader},
		{"updating", StaleUpdating}, {"http_500", StaleHTTP500}, {"http_502", StaleHTTP502},
		{"http_503", StaleHTTP503}, {"http_504", StaleHTTP504}, {"http_403", StaleHTTP403},
		{"http_404", StaleHTTP404}, {"http_429", StaleHTTP429}, {"non_idempotent", StaleNonIdempotent}, {"off", 0},
	}
}
