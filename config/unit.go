package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseNumber reads a decimal number without sign.
func parseNumber(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// parseSize reads a number of bytes with an optional k or m.
func parseSize(s string) (int64, bool) { return parseScaled(s, "kKmM") }

// parseOffset reads a number of bytes with an optional k, m or g.
func parseOffset(s string) (int64, bool) { return parseScaled(s, "kKmMgG") }

func parseScaled(s, suffixes string) (int64, bool) {
	scale := int64(1)
	if n := len(s); n > 0 && strings.IndexByte(suffixes, s[n-1]) >= 0 {
		switch s[n-1] {
		case 'k', 'K':
			scale = 1 << 10
		case 'm', 'M':
			scale = 1 << 20
		default:
			scale = 1 << 30
		}
		s = s[:n-1]
	}
	n, ok := parseNumber(s)
	if !ok || int64(n) > math.MaxInt64/scale {
		return 0, false
	}
	return int64(n) * scale, true
}

const day = 24 * time.Hour

// timeUnit gives the length of a suffix and its rank; ranks must fall within
// one value, as in "1h30m".
func timeUnit(s string) (unit time.Duration, rank, length int) {
	if strings.HasPrefix(s, "ms") {
		return time.Millisecond, 1, 2
	}
	switch s[0] {
	case 's':
		return time.Second, 2, 1
	case 'm':
		return time.Minute, 3, 1
	case 'h':
		return time.Hour, 4, 1
	case 'd':
		return day, 5, 1
	case 'w':
		return 7 * day, 6, 1
	case 'M':
		return 30 * day, 7, 1
	case 'y':
		return 365 * day, 8, 1
	}
	return 0, 0, 0
}

// parseTime reads a time: numbers with units from large to small, with or
// without spaces between them; a last number without unit is in seconds. If
// seconds is set, the value is of second resolution and ms is refused.
func parseTime(s string, seconds bool) (time.Duration, bool) {
	var total time.Duration
	last := 9
	for first := true; first || s != ""; first = false {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, ok := parseNumber(s[:digits])
		if !ok {
			return 0, false
		}
		s = s[digits:]
		unit, rank, length := time.Second, 2, 0
		if s != "" {
			unit, rank, length = timeUnit(s)
		}
		if rank == 0 || rank >= last || seconds && rank == 1 {
			return 0, false
		}
		last = rank
		if time.Duration(n) > (math.MaxInt64-total)/unit {
			return 0, false
		}
		total += time.Duration(n) * unit
		s = strings.TrimLeft(s[length:], " ")
	}
	return total, true
}

// hostPort is an address as it stands in server, proxy_pass and resolver.
type hostPort struct {
	host    string // without port; an IPv6 address keeps its brackets
	port    uint16
	portSet bool
	unix    string
	uri     string // what follows the address, from "/" or "?"
}

// parseHostPort reads "host", "host:port", "[v6]:port" or "unix:path", followed
// by a URI if uri is set (after a unix path it stands behind a colon). The
// second result is empty or says in nginx's words what is wrong.
func parseHostPort(s string, port uint16, uri bool) (hostPort, string) {
	if len(s) >= 5 && strings.EqualFold(s[:5], "unix:") {
		return parseUnix(s[5:], uri)
	}
	hp := hostPort{port: port}
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		if !uri {
			return hp, "invalid host"
		}
		s, hp.uri = s[:i], s[i:]
	}
	rest := ""
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return hp, "invalid host"
		}
		hp.host, rest = s[:i+1], s[i+1:]
		if rest != "" && rest[0] != ':' {
			return hp, "invalid host"
		}
	} else {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			i = len(s)
		}
		hp.host, rest = s[:i], s[i:]
	}
	if rest != "" {
		n, ok := parseNumber(rest[1:])
		if !ok || n < 1 || n > math.MaxUint16 {
			return hp, "invalid port"
		}
		hp.port, hp.portSet = uint16(n), true
	}
	if hp.host == "" || hp.host == "[]" {
		return hp, "no host"
	}
	return hp, ""
}

func parseUnix(path string, uri bool) (hostPort, string) {
	var hp hostPort
	if uri {
		path, hp.uri, _ = strings.Cut(path, ":")
	}
	if path == "" {
		return hp, "no path in the unix domain socket"
	}
	if len(path) >= 108 { // the kernel's room for a path, with its final NUL
		return hp, "too long path in the unix domain socket"
	}
	hp.unix = path
	return hp, ""
}

// String gives the address with its port, or "unix:" and the path.
func (hp hostPort) String() string {
	if hp.unix != "" {
		return "unix:" + hp.unix
	}
	return hp.host + ":" + strconv.Itoa(int(hp.port))
}

// ParseSize reads a size in bytes with an optional k, m or g, for values that
// are only known per request; ok is false for what is none.
func ParseSize(s string) (n int64, ok bool) { return parseOffset(s) }
