package health

import (
	"context"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/wire"
)

// overHTTP2 asks over a connection of HTTP/2.
func (x *asking) overHTTP2() error {
	client, err := x.join()
	if err != nil {
		return err
	}
	s, taken, err := client.Open(&http2.Opening{
		Head: x.q.Head, Secure: x.q.Profile.TLS != nil, HeadLimit: x.q.Limits.TotalSize, Body: x.q.Body, End: true,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	stop := context.AfterFunc(x.ctx, s.Interrupt)
	defer stop()
	s.WriteWithin(x.q.Send)
	s.ReadWithin(wire.Now(), x.q.Read)
	if rest := x.q.Body[taken:]; len(rest) > 0 {
		if err := s.Write(rest, true); err != nil {
			return err
		}
	}
	if err := x.readHead2(s); err != nil {
		return err
	}
	return x.readBody2(s)
}

// join gets a connection: the one that is kept, or a new one.
func (x *asking) join() (*http2.Client, error) {
	ctx, cancel := context.WithTimeout(x.ctx, x.q.Connect)
	defer cancel()
	client, _, err := x.at.idle.Join(ctx, x.at.peer, x.q.Profile, x.q.Read)
	return client, err
}

// readHead2 waits for the head of the final reply.
func (x *asking) readHead2(s *http2.ClientStream) error {
	h := &x.r.Upstream
	for {
		status, err := s.Head(h, x.r.Arena().Take())
		if err != nil {
			return err
		}
		if status >= 200 {
			h.Buf = x.r.Arena().Keep(h.Buf)
			x.r.Attempts[0].Status = status
			return nil
		}
		if err := s.Wait(); err != nil {
			return err
		}
	}
}

// readBody2 reads the body, as far as it is looked at, and what follows it.
func (x *asking) readBody2(s *http2.ClientStream) error {
	if !x.q.Answer.WantsBody() {
		return nil
	}
	for {
		piece, done, err := s.Next()
		if err != nil {
			return err
		}
		if more := x.append(piece); !more {
			return nil
		}
		if done {
			t := &x.r.Trailers
			s.Trailers(t, x.r.Arena().Take())
			t.Buf = x.r.Arena().Keep(t.Buf)
			return nil
		}
		if err := s.Wait(); err != nil {
			return err
		}
	}
}
