package lb

import "github.com/weir-lb/weir/lb/request"

// stubStatus is the handler of `stub_status`: nginx's short text of counters.
type stubStatus struct{ b *Balancer }

// Serve implements request.Handler.
func (s *stubStatus) Serve(r *request.Request) request.Verdict {
	if r.Verb != request.VerbGet && r.Verb != request.VerbHead {
		return r.Reject(405)
	}
	active, reading, writing, waiting := s.b.counts()
	accepted := int64(s.b.connections.Load())
	text := "Active connections: " + itoa(active) + " \nserver accepts handled requests\n " +
		itoa(accepted) + " " + itoa(accepted) + " " + itoa(int64(s.b.requests.Load())) +
		" \nReading: " + itoa(reading) + " Writing: " + itoa(writing) + " Waiting: " + itoa(waiting) + " \n"
	r.Reply.Status, r.Reply.ContentType = 200, []byte("text/plain")
	r.Reply.Length = int64(len(text))
	for _, step := range []func() error{
		r.Out.Begin, func() error { return r.Out.Write([]byte(text)) }, func() error { return r.Out.End(nil) },
	} {
		if err := step(); err != nil {
			r.Reply.Broken = true
			break
		}
	}
	return request.Done
}
