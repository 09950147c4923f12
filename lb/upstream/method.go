package upstream

import (
	"fmt"
	"math/rand/v2"
)

// Kind is a balancing method.
type Kind uint8

// The methods, by directive.
const (
	RoundRobin     Kind = iota // no directive
	LeastConn                  // least_conn
	LeastTime                  // least_time
	IPHash                     // ip_hash
	Hash                       // hash
	ConsistentHash             // hash … consistent
	Random                     // random
	RandomTwo                  // random two
)

// Measure is what a method compares peers by.
type Measure uint8

// The measures. Conns is for RandomTwo only.
const (
	Conns    Measure = iota // requests in work
	Header                  // time to the header
	LastByte                // time to the end of the reply
)

// index returns where the moving average of a time measure is kept.
func (m Measure) index() uint8 { return uint8(m-Header) & 1 }

// Method is a balancing method with its parameters.
type Method struct {
	Kind     Kind
	Measure  Measure // LeastTime, RandomTwo
	Inflight bool    // LeastTime: count the age of requests in work too
}

// AllowsBackup reports whether the method accepts backup servers.
func (m Method) AllowsBackup() bool {
	return m.Kind == RoundRobin || m.Kind == LeastConn || m.Kind == LeastTime
}

// UsesKey reports whether the method reads PickArgs.Key.
func (m Method) UsesKey() bool { return m.Kind == Hash || m.Kind == ConsistentHash }

// UsesClient reports whether the method reads PickArgs.Client.
func (m Method) UsesClient() bool { return m.Kind == IPHash }

// ParseMethod returns the method of a directive of an upstream block, with its
// words as written. The first argument of hash, its key, is the caller's.
// Errors are in nginx's words.
func ParseMethod(directive string, args ...string) (Method, error) {
	switch directive {
	case "round_robin":
		return Method{}, nowords(directive, args)
	case "least_conn":
		return Method{Kind: LeastConn}, nowords(directive, args)
	case "ip_hash":
		return Method{Kind: IPHash}, nowords(directive, args)
	case "least_time":
		return parseLeastTime(args)
	case "hash":
		return parseHash(args)
	case "random":
		return parseRandom(args)
	}
	return Method{}, fmt.Errorf("unknown directive %q", directive)
}

func nowords(directive string, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return wrongCount(directive)
}

func wrongCount(directive string) error {
	return fmt.Errorf("invalid number of arguments in %q directive", directive)
}

func parseLeastTime(args []string) (Method, error) {
	if len(args) < 1 || len(args) > 2 {
		return Method{}, wrongCount("least_time")
	}
	m := Method{Kind: LeastTime}
	if len(args) == 2 {
		if args[1] != "inflight" {
			return m, fmt.Errorf("invalid parameter %q", args[1])
		}
		m.Inflight = true
	}
	var ok bool
	if m.Measure, ok = parseMeasure(args[0]); !ok {
		return m, fmt.Errorf("invalid value %q", args[0])
	}
	return m, nil
}

func parseMeasure(s string) (Measure, bool) {
	switch s {
	case "header":
		return Header, true
	case "last_byte":
		return LastByte, true
	}
	return Conns, false
}

func parseHash(args []string) (Method, error) {
	switch {
	case len(args) < 1 || len(args) > 2:
		return Method{}, wrongCount("hash")
	case len(args) == 1:
		return Method{Kind: Hash}, nil
	case args[1] != "consistent":
		return Method{}, fmt.Errorf("invalid parameter %q", args[1])
	}
	return Method{Kind: ConsistentHash}, nil
}

func parseRandom(args []string) (Method, error) {
	switch {
	case len(args) == 0:
		return Method{Kind: Random}, nil
	case len(args) > 2:
		return Method{}, wrongCount("random")
	case args[0] != "two":
		return Method{}, fmt.Errorf("invalid parameter %q", args[0])
	}
	m := Method{Kind: RandomTwo}
	if len(args) == 1 {
		return m, nil
	}
	switch args[1] {
	case "least_conn":
	case "least_time=header":
		m.Measure = Header
	case "least_time=last_byte":
		m.Measure = LastByte
	default:
		return m, fmt.Errorf("invalid parameter %q", args[1])
	}
	return m, nil
}

// method chooses among the peers of one group. Both functions are called with
// the upstream's lock held or before the pool is in use.
type method interface {
	// prepare computes what the method needs of g besides its slots. before is
	// what g takes the place of, nil: nothing.
	prepare(g, before *group)
	// pick returns the position of a peer that can take the request of a
	// at second now, -1 when there is none. It changes weights but counts
	// no request.
	pick(g *group, a *PickArgs, now int64) int
}

func newMethod(m Method, src rand.Source) method {
	switch m.Kind {
	case LeastConn:
		return leastConn{}
	case LeastTime:
		return leastTime{measure: m.Measure, inflight: m.Inflight}
	case IPHash:
		return ipHash{}
	case Hash:
		return keyHash{}
	case ConsistentHash:
		return consistent{}
	case Random:
		return random{rng: rand.New(src)}
	case RandomTwo:
		return randomTwo{rng: rand.New(src), measure: m.Measure}
	}
	return roundRobin{}
}

// maxRounds is how often a hash or random method looks again, over all
// attempts of a request, before it leaves the choice to round robin.
const maxRounds = 20
