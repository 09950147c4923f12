package wire_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

// gathering is a connection whose writes wait until they leave together.
type gathering struct {
	net.Conn
	on  bool
	out []byte
}

func (g *gathering) Write(p []byte) (int, error) {
	if !g.on {
		return g.Conn.Write(p)
	}
	g.out = append(g.out, p...)
	return len(p), nil
}

// SetWriteDeadline keeps crypto/tls from ending all writes after its last.
func (g *gathering) SetWriteDeadline(time.Time) error { return nil }

// The peer's last bytes are not lost where its end came together with them.
func TestLastBytesWithTheEnd(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(s *wire.Stream, p []byte) (int, error){
		"read":     (*wire.Stream).Read,
		"exchange": func(s *wire.Stream, p []byte) (int, error) { return s.Exchange(nil, &lender{buf: p}) },
		"serve": func(s *wire.Stream, p []byte) (n int, err error) {
			if waited := s.Serve(func(fd uintptr) bool { n, err = s.ReadNow(fd, p); return n > 0 || err == io.EOF }); waited != nil {
				return 0, waited
			}
			return n, err
		},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				s, raw := pair(t)
				g := &gathering{Conn: raw}
				far := secureUpTo(t, version, s, g).(*tls.Conn)
				g.on = true
				if _, err := io.WriteString(far, "the last"); err != nil {
					t.Fatal(err)
				}
				if err := far.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if _, err := raw.Write(g.out); err != nil {
					t.Fatal(err)
				}
				p := make([]byte, 100)
				if n, err := read(s, p); err != nil || string(p[:n]) != "the last" {
					t.Errorf("%q %v", p[:n], err)
				}
				if n, err := read(s, p); n != 0 || err != io.EOF {
					t.Errorf("then %q %v", p[:n], err)
				}
			})
		}
	}
}
