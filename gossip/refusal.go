package gossip

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	quietFor    = 10 * time.Minute // between two lines about the same
	talkersKept = 1024
	hostsTold   = 10 // lines about the same from different addresses in that time: those of packets can be forged
)

// journal writes the log of this package: one line for each kind of trouble with each address, repeated only after a
// while and then with the number of those that were not told, so that a flood of packets is no flood of lines.
// It may be used by many goroutines.
type journal struct {
	write  func(level, text string)
	counts *counters
	mu     sync.Mutex
	told   tellings
	hosts  tellings // addresses of which something was refused
}

// tellings are by what each is about.
type tellings map[string]*telling

// telling is what has been written with one key since a time.
type telling struct {
	at     time.Time
	lines  int
	untold int
}

// tell writes a line, unless one with the same key has just been written.
func (j *journal) tell(level, key, text string) {
	if untold, may := j.may(j.told, key, 1); may {
		j.put(level, text, untold)
	}
}

func (j *journal) put(level, text string, untold int) {
	if untold > 0 {
		text += fmt.Sprintf(" (and %d more since the last line about it)", untold)
	}
	j.write(level, text)
}

// may reports whether there may be one more line with a key, and how many there would have been before it.
func (j *journal) may(told tellings, key string, lines int) (untold int, may bool) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	t := told[key]
	if t == nil || now.Sub(t.at) >= quietFor {
		if t != nil {
			untold = t.untold
		}
		if len(told) >= talkersKept {
			clear(told)
		}
		t = &telling{at: now}
		told[key] = t
	}
	if t.lines >= lines {
		t.untold++
		return 0, false
	}
	t.lines++
	return untold, true
}

// refuse counts something that came from outside and tells of it.
func (j *journal) refuse(counter *atomic.Uint64, from, why string) {
	counter.Add(1)
	host, _, err := net.SplitHostPort(from)
	if err != nil {
		host = from
	}
	again, first := j.may(j.hosts, host+" "+why, 1)
	if !first {
		return
	}
	if others, may := j.may(j.told, why, hostsTold); may {
		j.put("warn", fmt.Sprintf("gossip: refused what came from %s: %s", from, why), again+others)
	}
}

// Write takes the lines of memberlist's log. Most are of no use to anyone but its authors.
func (j *journal) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level, text := levelOf(text)
	from := ""
	if at := strings.LastIndex(text, "from="); at >= 0 {
		from = text[at+len("from="):]
	}
	for _, k := range kinds() {
		if strings.Contains(text, k.words) {
			k.tell(j, from, text)
			return len(line), nil
		}
	}
	if level == "warn" || level == "error" {
		j.tell("info", text, "gossip: "+text)
	}
	return len(line), nil
}

// levelOf cuts memberlist's marks off a line.
func levelOf(text string) (level, rest string) {
	for mark, level := range map[string]string{"[ERR] ": "error", "[WARN] ": "warn", "[INFO] ": "info", "[DEBUG] ": "debug"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return level, strings.TrimPrefix(rest, "memberlist: ")
		}
	}
	return "error", text
}

func newJournal(write func(level, text string), counts *counters) *journal {
	return &journal{write: write, counts: counts, told: tellings{}, hosts: tellings{}}
}

// kind is a sort of line of memberlist's log, by words in it, and what becomes of it.
type kind struct {
	words string
	tell  func(j *journal, from, text string)
}

func kinds() []kind {
	stranger := func(why string) func(*journal, string, string) {
		return func(j *journal, from, _ string) { j.refuse(&j.counts.strangers, from, why) }
	}
	malformed := func(j *journal, from, _ string) { j.refuse(&j.counts.malformed, from, "a malformed message") }
	nothing := func(*journal, string, string) {}
	return []kind{
		{"with unacceptable label", stranger("it belongs to another cluster, or to none")},
		{"Decrypt packet failed", stranger("it is not encrypted with a key of this cluster")},
		{"No installed keys could decrypt", stranger("it is not encrypted with a key of this cluster")},
		{"remote state is not encrypted", stranger("it is not encrypted")},
		{"stream label header", stranger("it is no stream of gossip")},
		{"cannot decode label", stranger("it is no packet of gossip")},
		{"label header cannot be empty", stranger("it is no packet of gossip")},
		{"is larger than limit", func(j *journal, from, _ string) { j.refuse(&j.counts.oversized, from, "it is too long") }},
		{errOversized.Error(), func(j *journal, from, _ string) { j.refuse(&j.counts.oversized, from, "it is too long") }},
		{"ignoring alive message", nothing}, // told by Admit's caller
		{"Failed to decode", malformed},
		{"not supported", malformed},
		{"missing message type", malformed},
		{"invalid msgType", malformed},
		{"invalid checksum", malformed},
		{"failed to receive", stranger("it is no stream of gossip")},
		{"Conflicting address", nothing}, // NotifyConflict tells it
		{"but UDP probes failed", func(j *journal, _, text string) {
			j.counts.lostPackets.Add(1)
			j.tell("warn", "packets lost", "gossip: packets get lost that streams do not: "+text+"; is UDP let through?")
		}},
		{"handler queue full", func(j *journal, _, text string) {
			j.counts.dropped.Add(1)
			j.tell("warn", "queue full", "gossip: "+text)
		}},
		{"Error accepting TCP", func(j *journal, _, text string) { j.tell("error", "accept", "gossip: "+text) }},
	}
}
