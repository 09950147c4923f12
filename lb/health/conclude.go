package health

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// judgements are verdicts that take effect together.
type judgements map[*upstream.Roster][]upstream.Judgement

// add notes the verdict on a peer.
func (j *judgements) add(s *subject) {
	if *j == nil {
		*j = judgements{}
	}
	(*j)[s.group.roster] = append((*j)[s.group.roster], upstream.Judgement{Peer: s.id, Verdict: s.verdict})
}

// tell puts them in force.
func (j judgements) tell() {
	for roster, list := range j {
		roster.SetVerdicts(list...)
	}
}

// probe makes one check.
func (c *Checker) probe(t *target, check *Check) {
	defer c.all.Done()
	began := time.Now()
	f := check.Prober.Probe(c.ctx, t.place)
	f.Latency = time.Since(began)
	c.conclude(t, f)
}

// conclude draws the consequences of a finding: the verdict is in force when it
// returns.
func (c *Checker) conclude(t *target, f Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.busy = false
	s := t.subject
	if t.gone || !s.asks() {
		c.rest(t)
		return
	}
	now := time.Now()
	c.count(t, f, now)
	if s.extra && !s.duty && !f.Passed() { // the others are right
		c.layDown(s)
	} else {
		c.schedule(t, c.next(t, now, rand.N(t.check.Jitter+1)))
		if s.own != s.report.Status && s.own != StatusUnknown || t.asked && f.Passed() {
			c.publish(s, s.own, f)
		}
	}
	t.asked = t.asked && t.again
	if c.decide(s) {
		var change judgements
		change.add(s)
		change.tell()
		c.tell(t, f)
	}
}

// count counts a finding.
func (c *Checker) count(t *target, f Finding, now time.Time) {
	s, before := t.subject, t.tally.status
	t.tally.add(f.Passed(), t.check.Fails, t.check.Passes)
	t.counts.add(f, before, t.tally.status)
	if f.Passed() {
		s.passedAt = now
	}
	s.setOwn(opinion(s.targets))
	switch {
	case !t.tally.changing():
		t.rush = false
	case !f.Passed() && !c.roll.alone():
		t.rush = true
	}
}

// setOwn notes what the checks here say.
func (s *subject) setOwn(status Status) {
	if s.own != status {
		s.own, s.ownSince = status, time.Now()
	}
	if status == StatusDown && s.nodes == StatusDown {
		s.agreed = true
	}
}

// publish tells others what this node says of a peer.
func (c *Checker) publish(s *subject, status Status, f Finding) {
	if s.group.local() && !c.roll.alone() {
		return
	}
	c.seq++
	s.report = Report{Peer: s.id, Boot: c.boot, Seq: c.seq, Status: status, Reason: f.Reason, Since: time.Now(), Latency: f.Latency}
	if c.o.Report != nil {
		c.o.Report(s.report)
	}
}

// retract tells others that this node says nothing of a peer any more.
func (c *Checker) retract(s *subject) {
	if s.report.Status != StatusUnknown {
		c.publish(s, StatusUnknown, Finding{})
	}
}

// decide makes the verdict on a peer of all that is known now, and reports
// whether it is another one than before.
func (c *Checker) decide(s *subject) bool {
	now := time.Now()
	e := c.evidence(s, now)
	nodes := e.Nodes()
	if nodes != s.nodes {
		before := s.nodes
		s.nodes, s.nodesSince, s.agreed = nodes, now, nodes == StatusDown && s.own == StatusDown
		c.turn(s, before, now)
		e.Proven = false
		switch {
		case nodes == StatusDown && s.own != StatusDown:
			c.doubt(s, now)
		case nodes != StatusDown && s.extra && !s.duty:
			c.layDown(s)
			e.Own = s.own
		}
	}
	verdict := e.Here(nodes)
	s.reason = c.reasonOf(s, now, verdict)
	changed := verdict != s.verdict
	s.verdict = verdict
	return changed
}

// tell writes a change of a verdict into the log that a finding has led to.
func (c *Checker) tell(t *target, f Finding) {
	s := t.subject
	if !f.Passed() != (s.verdict == upstream.VerdictUnhealthy) { // others had the last word
		c.tellOfNodes(s)
		return
	}
	level, state := errorlog.Notice, "healthy"
	if s.verdict == upstream.VerdictUnhealthy {
		level, state = errorlog.Error, "unhealthy ("+f.words()+")"
	}
	c.o.Log.Log(level, 0, fmt.Sprintf("peer is %s, health check %q of peer %s in upstream %q", state, t.check.Name, s.id.Addr, s.id.Upstream))
}

// tellOfNodes writes a change of a verdict into the log that the reports of
// other nodes have led to.
func (c *Checker) tellOfNodes(s *subject) {
	level, state := errorlog.Notice, "healthy"
	switch s.verdict {
	case upstream.VerdictUnhealthy:
		level, state = errorlog.Error, "unhealthy ("+s.reason.String()+")"
	case upstream.VerdictChecking:
		state = "unknown"
	}
	c.o.Log.Log(level, 0, fmt.Sprintf("peer is %s, reports of other nodes on peer %s in upstream %q", state, s.id.Addr, s.id.Upstream))
}
