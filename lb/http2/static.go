package http2

// Entries of the static table that are used whole (RFC 7541, appendix A).
const (
	staticAuthority   = 1
	staticMethodGet   = 2
	staticMethodPost  = 3
	staticPathRoot    = 4
	staticSchemeHTTP  = 6
	staticSchemeHTTPS = 7
	staticStatus200   = 8
	staticLast        = 61
)

// staticStatus returns the entry of the static table for a status, 0: none.
func staticStatus(status int) uint64 {
	switch status {
	case 200:
		return staticStatus200
	case 204:
		return 9
	case 206:
		return 10
	case 304:
		return 11
	case 400:
		return 12
	case 404:
		return 13
	case 500:
		return 14
	}
	return 0
}

// staticNames are the names of the static table, from index 1 on.
var staticNames = [staticLast + 1]string{
	1: ":authority", 2: ":method", 4: ":path", 6: ":scheme", 8: ":status", 15: "accept-charset",
	16: "accept-encoding", 17: "accept-language", 18: "accept-ranges", 19: "accept",
	20: "access-control-allow-origin", 21: "age", 22: "allow", 23: "authorization", 24: "cache-control",
	25: "content-disposition", 26: "content-encoding", 27: "content-language", 28: "content-length",
	29: "content-location", 30: "content-range", 31: "content-type", 32: "cookie", 33: "date", 34: "etag",
	35: "expect", 36: "expires", 37: "from", 38: "host", 39: "if-match", 40: "if-modified-since",
	41: "if-none-match", 42: "if-range", 43: "if-unmodified-since", 44: "last-modified", 45: "link",
	46: "location", 47: "max-forwards", 48: "proxy-authenticate", 49: "proxy-authorization", 50: "range",
	51: "referer", 52: "refresh", 53: "retry-after", 54: "server", 55: "set-cookie",
	56: "strict-transport-security", 57: "transfer-encoding", 58: "user-agent", 59: "vary", 60: "via",
	61: "www-authenticate",
}

const staticSize = 256

// staticTable finds an entry by a small hash of its name; it is made once and
// never changed.
var staticTable = makeStaticTable()

func staticHash(name []byte) uint {
	n := len(name)
	return (uint(n)*5 + uint(name[0])*31 + uint(name[n-1])*17 + uint(name[n/2])*101) % staticSize
}

// makeStaticTable places every name in the first free place behind its hash.
func makeStaticTable() (t [staticSize]uint8) {
	for i, name := range staticNames {
		if name == "" {
			continue
		}
		at := staticHash([]byte(name))
		for t[at] != 0 {
			at = (at + 1) % staticSize
		}
		t[at] = uint8(i)
	}
	return t
}

// staticName returns the first entry of the static table with a name, 0: none.
func staticName(name []byte) uint64 {
	if len(name) == 0 {
		return 0
	}
	for at := staticHash(name); ; at = (at + 1) % staticSize {
		i := staticTable[at]
		if i == 0 || staticNames[i] == string(name) {
			return uint64(i)
		}
	}
}
