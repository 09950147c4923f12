package gossip

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	dialTimeout  = 3 * time.Second
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
	keptForDead  = time.Minute // what waits for a member that is dead; it may come back
)

// courier brings one member what waits for it: while there is something, it keeps a connection, and makes it anew when
// it breaks.
type courier struct {
	g      *Gossip
	id     nodeID
	outbox outbox

	mu       sync.Mutex
	running  bool
	compares bool            // a complete vector is due
	told     map[nodeID]mark // what the other end has been told of ledgers, on the connection in use
	talk     *talk           // the connection in use
}

// courier finds the one of a member, or engages one.
func (g *Gossip) courier(id nodeID) *courier {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.couriers[id]
	if c == nil {
		c = &courier{g: g, id: id}
		g.couriers[id] = c
	}
	return c
}

// dismiss lets go of couriers whose member is gone for long.
func (g *Gossip) dismiss(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, c := range g.couriers {
		m, known := g.roll.find(id)
		if known && (m.Alive || now.Sub(m.Since) < keptForDead) {
			continue
		}
		g.counts.sessionDrop.Add(uint64(c.outbox.clear()))
		delete(g.couriers, id)
	}
}

// compare has the member asked and told everything.
func (c *courier) compare() {
	c.mu.Lock()
	c.compares = true
	c.mu.Unlock()
	c.need()
}

// tell says how far ledgers go, where that has changed since the last time.
func (c *courier) tell(vector map[nodeID]mark) {
	c.mu.Lock()
	if c.talk == nil {
		c.compares = true
		c.mu.Unlock()
		c.need()
		return
	}
	changed := maps.Clone(vector)
	maps.DeleteFunc(changed, func(id nodeID, m mark) bool { return c.told[id] == m })
	maps.Copy(c.told, changed)
	t := c.talk
	c.mu.Unlock()
	if len(changed) > 0 {
		t.send(vectorFrame(frameVector, false, changed))
	}
}

// need makes sure that there is a connection, or one in the making, and that it looks what there is to do.
func (c *courier) need() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.talk != nil {
		signal(c.talk.wake)
	}
	if !c.running {
		c.running = c.g.launch(c.run)
	}
}

// run connects as long as there is something to bring.
func (c *courier) run() {
	backoff := firstBackoff
	for {
		began := time.Now()
		err := c.visit()
		c.mu.Lock()
		due := c.compares || c.outbox.waits()
		if !due || c.g.ctx.Err() != nil || !c.g.roll.alive(c.id) {
			c.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if err != nil {
			c.g.journal.tell("info", "visit"+c.id.String(), "gossip: stream to node "+c.id.String()+": "+err.Error()+"; it is tried again")
		}
		if time.Since(began) > lastBackoff {
			backoff = firstBackoff
		}
		select {
		case <-time.After(backoff):
		case <-c.g.ctx.Done():
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// visit makes a connection and uses it until it breaks or has been idle.
func (c *courier) visit() error {
	m, known := c.g.roll.find(c.id)
	if !known || !m.Alive || m.Link == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.g.ctx, dialTimeout)
	defer cancel()
	conn, err := c.g.o.Stream.Dial(ctx, m.Link)
	if err != nil {
		return err
	}
	t := c.g.newTalk(conn)
	defer t.end()
	welcome, err := t.greet(c.id)
	if err != nil {
		return err
	}
	c.g.counts.sessionSent.Add(uint64(c.outbox.resume(welcome.last)))
	c.mu.Lock()
	t.courier, c.talk, c.told = c, t, map[nodeID]mark{}
	c.mu.Unlock()
	err = t.run()
	c.mu.Lock()
	c.talk = nil
	c.mu.Unlock()
	return err
}

// due returns frames that wait for the member, for the connection in use.
func (c *courier) due() (frames [][]byte) {
	c.mu.Lock()
	compares := c.compares
	c.compares = false
	c.mu.Unlock()
	if compares {
		vector := c.g.vector()
		frames = append(frames, vectorFrame(frameVector, true, vector))
		c.mu.Lock()
		maps.Copy(c.told, vector)
		c.mu.Unlock()
	}
	return append(frames, c.outbox.take()...)
}
