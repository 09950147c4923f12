package listen

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener whose Accept gives the results of a script, one after another, and then waits to be closed.
type scripted struct {
	net.Listener
	script chan error
	closed chan struct{}
	calls  int
}

func (l *scripted) Accept() (net.Conn, error) {
	l.calls++
	select {
	case err := <-l.script:
		if err != nil {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
		}
		c, _ := net.Pipe()
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scripted) Close() error { close(l.closed); return nil }

func TestAcceptOutlivesExhaustion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{script: make(chan error, 10), closed: make(chan struct{})}
		for _, err := range []error{nil, syscall.EMFILE, syscall.EMFILE, syscall.EMFILE, nil, syscall.EMFILE, syscall.ENFILE, nil} {
			l.script <- err
		}
		var conns int
		var reports []string
		lane := &lane{ln: l}
		start := time.Now()
		lane.run(&Socket{name: "0.0.0.0:80"}, func(net.Conn, *Socket) { conns++ }, func(err error) { reports = append(reports, err.Error()) })
		<-time.After(10 * time.Second) // of the bubble's time
		synctest.Wait()
		if conns != 3 {
			t.Errorf("%d connections, want 3", conns)
		}
		want := `accept4() on 0.0.0.0:80 failed (24: Too many open files)
accept4() on 0.0.0.0:80 failed (24: Too many open files)
accept4() on 0.0.0.0:80 failed (23: Too many open files in system)`
		if got := strings.Join(reports, "\n"); got != want {
			t.Errorf("reports:\n%s\nwant:\n%s", got, want)
		}
		if err := lane.close(); err != nil || l.calls != 9 {
			t.Errorf("%d calls of accept after %v, %v, want 9", l.calls, time.Since(start), err)
		}
	})
}

func TestCloseEndsPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{script: make(chan error, 1), closed: make(chan struct{})}
		l.script <- syscall.EMFILE
		lane := &lane{ln: l}
		lane.run(&Socket{}, nil, func(error) {})
		synctest.Wait()
		start := time.Now()
		if err := lane.close(); err != nil || time.Since(start) > 0 {
			t.Errorf("closing took %v, %v", time.Since(start), err)
		}
	})
}
