package upstream

import "time"

// suspectGap is how often at most failures of one peer are told.
const suspectGap = int64(time.Second)

// Suspects lets who checks the peers know where requests fail, each peer once a
// second at most. What finds no room in the channel is told with the next
// failure.
func (r *Roster) Suspects(to chan<- PeerID) {
	pool := r.Pool()
	if pool == nil {
		return
	}
	shared := pool.shared
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.suspects = to
}

// suspect tells that a request has failed at p. The upstream's lock is held.
func (p *Peer) suspect(now int64) {
	r := p.resident
	if p.shared.suspects == nil || now-r.doubted < suspectGap {
		return
	}
	select {
	case p.shared.suspects <- p.PeerID():
		r.doubted = now
	default:
	}
}
