package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"github.com/miekg/dns"
)

// packetSize is the largest UDP payload we ask for: what passes every common
// path without fragments.
const packetSize = 1232

// exchange asks one name server one question, over UDP and, where the answer
// was cut short, over TCP. A server that does not know EDNS is asked without.
func exchange(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	m, err := overUDP(ctx, server, q)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) && q.IsEdns0() != nil {
		plain := *q
		plain.Extra = nil
		q = &plain
		m, err = overUDP(ctx, server, q)
	}
	if err == nil && m.Truncated {
		return overTCP(ctx, server, q)
	}
	return m, err
}

// dial opens a socket for one exchange; its source port is a part of what a
// stranger would have to guess. What is blocked on it ends with ctx.
func dial(ctx context.Context, network, server string) (net.Conn, func(), error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetDeadline(time.Unix(1, 0)) // fails only where c is closed already
	})
	return c, func() {
		stop()
		_ = c.Close() // nothing was left to be written
	}, nil
}

func overUDP(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	packet, err := q.Pack()
	if err != nil {
		return nil, err
	}
	c, done, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := c.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096) // some servers send more than they were asked to
	for ignored := 0; ; ignored++ {
		n, err := c.Read(buf)
		if err != nil {
			return nil, silent(ctx, err, ignored)
		}
		if m, ok := parseReply(q, buf[:n]); ok {
			return m, nil
		}
	}
}

// silent words the end of a wait that brought nothing useful.
func silent(ctx context.Context, err error, ignored int) error {
	switch {
	case ctx.Err() == nil:
		return err
	case ignored > 0:
		return fmt.Errorf("no valid answer among %d packets", ignored)
	}
	return errors.New("no answer")
}

func overTCP(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	packet, err := q.Pack()
	if err != nil {
		return nil, err
	}
	c, done, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer done()
	message := binary.BigEndian.AppendUint16(make([]byte, 0, len(packet)+2), uint16(len(packet)))
	if _, err := c.Write(append(message, packet...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, silent(ctx, err, 0)
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:])) // at most math.MaxUint16
	if _, err := io.ReadFull(c, buf); err != nil {
		return nil, silent(ctx, err, 0)
	}
	m, ok := parseReply(q, buf)
	if !ok || m.Truncated {
		return nil, errors.New("no valid answer over TCP")
	}
	return m, nil
}

// parseReply reads a packet and tells whether it answers q. One that was cut
// short need not be readable to its end.
func parseReply(q *dns.Msg, packet []byte) (*dns.Msg, bool) {
	if len(packet) > math.MaxUint16 {
		return nil, false
	}
	m := &dns.Msg{}
	err := m.Unpack(packet)
	return m, answers(q, m) && (err == nil || m.Truncated)
}
