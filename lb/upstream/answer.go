package upstream

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
)

// Question is what is asked about the name of a server whose addresses are
// found while weir runs.
type Question struct {
	Host    string // as written
	Service string // of SRV records; empty: addresses are asked for
}

// Answer is what a name stands for. It is complete: what it leaves out is gone.
// Its records are sorted, so that whoever knows the same set has it in the same
// order.
type Answer struct {
	Records []Record
}

// Record is an SRV record with the addresses of its target. The addresses of
// a name that was asked for without a service are one Record, whose other
// fields are zero.
type Record struct {
	Target           string
	Port             uint16
	Priority, Weight uint16
	Addrs            []netip.Addr
}

func (a Answer) equal(b Answer) bool {
	return slices.EqualFunc(a.Records, b.Records, func(x, y Record) bool {
		return x.Target == y.Target && x.Port == y.Port && x.Priority == y.Priority && x.Weight == y.Weight && slices.Equal(x.Addrs, y.Addrs)
	})
}

// maxShares bounds the sum of the weights that the SRV records of one priority
// bring along: a table of hash points grows with it, and name servers are not
// to say how large it gets.
const maxShares = 10_000

// resolved returns the servers that a line stands for by an answer. Of SRV
// records those of the lowest priority are as the line says, the others are
// backup servers. They are left out where there is no place for these: behind
// a line that is a backup itself, and with methods that know none.
func (s *Server) resolved(upstream string, a Answer, backups bool) []Server {
	if s.Question.Service == "" {
		out := *s
		for _, r := range a.Records {
			out.Addrs = append(out.Addrs, located(r.Addrs, s.Port)...)
		}
		if len(out.Addrs) == 0 {
			return nil
		}
		return []Server{out}
	}
	var out []Server
	for first, rest := true, a.Records; len(rest) > 0; first = false {
		n := 1
		for n < len(rest) && rest[n].Priority == rest[0].Priority {
			n++
		}
		tier := rest[:n]
		if rest = rest[n:]; !first && (s.Backup || !backups) {
			break
		}
		out = append(out, s.tier(tier, s.Backup || !first)...)
	}
	for i := range out {
		out[i].Line = s.LineID(upstream)
	}
	return out
}

// tier returns the servers of records of one priority.
func (s *Server) tier(records []Record, backup bool) []Server {
	weights := recordWeights(records)
	var out []Server
	for i, r := range records {
		if len(r.Addrs) == 0 {
			continue // a target that could not be resolved
		}
		sv := *s
		sv.Name = r.Target + ":" + strconv.Itoa(int(r.Port))
		sv.ID = s.identity() + " " + s.Question.Service + " " + sv.Name
		sv.Addrs, sv.Backup = located(r.Addrs, r.Port), backup
		if s.Weight == 1 {
			sv.Weight = weights[i]
		}
		out = append(out, sv)
	}
	return out
}

// recordWeights reads the weights of records that stand beside each other. 0 counts
// as 1. What they have in common is divided out, and a sum that is too large
// is scaled down; nobody falls below 1.
func recordWeights(records []Record) []int {
	out := make([]int, len(records))
	divisor, sum := 0, 0
	for i, r := range records {
		out[i] = max(1, int(r.Weight))
		divisor = gcd(divisor, out[i])
	}
	for i := range out {
		out[i] /= divisor
		sum += out[i]
	}
	if sum <= maxShares {
		return out
	}
	for i := range out {
		out[i] = max(1, int(math.Round(float64(out[i])*maxShares/float64(sum))))
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func located(addrs []netip.Addr, port uint16) []Addr {
	out := make([]Addr, len(addrs))
	for i, a := range addrs {
		out[i] = Addr{AddrPort: netip.AddrPortFrom(a, port)}
	}
	return out
}
