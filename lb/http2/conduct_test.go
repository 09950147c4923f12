package http2

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAbuse plays what is known to bring servers down, one client each, and
// holds that the connection ends with a code and a reason, and that memory
// stays bounded.
func TestAbuse(t *testing.T) {
	t.Parallel()
	hang := func(s *ServerStream) {
		_, _ = s.ReadWithin(time.Hour) // until the client goes
	}
	many := strings.Repeat("y", 16000)
	for name, c := range map[string]struct {
		serve  func(s *ServerStream)
		attack func(i int) string
		want   string
		most   int // frames that may come before the end
	}{
		"rapid reset": {hang, func(i int) string { return fmt.Sprintf("H%d post; R%d 8", 2*i+1, 2*i+1) },
			"client opened and reset too many streams (ENHANCE_YOUR_CALM)", 700},
		"rapid reset of replies": {echo, func(i int) string { return fmt.Sprintf("H%d post; R%d 8", 2*i+1, 2*i+1) },
			"client opened and reset too many streams (ENHANCE_YOUR_CALM)", 700},
		"made to reset": {hang, func(i int) string { return fmt.Sprintf("H%d post; W%d 0", 2*i+1, 2*i+1) },
			"client had too many streams reset (ENHANCE_YOUR_CALM)", 200},
		"refused streams": {hang, func(i int) string { return fmt.Sprintf("H%de get A=b", 2*i+1) },
			"client had too many streams reset (ENHANCE_YOUR_CALM)", 200},
		"CONTINUATION flood": {hang, func(i int) string {
			if i == 0 {
				return "H1+ get"
			}
			return "C1+ a=b"
		}, "header block too large (ENHANCE_YOUR_CALM)", 70},
		"large CONTINUATION": {hang, func(i int) string {
			if i == 0 {
				return "H1+ get"
			}
			return "C1+ a=" + many
		}, "header block too large (ENHANCE_YOUR_CALM)", 4},
		"empty CONTINUATION": {hang, func(i int) string {
			if i == 0 {
				return "H1+ get"
			}
			return "C1+"
		}, "header block too large (ENHANCE_YOUR_CALM)", 70},
		"SETTINGS flood": {hang, func(int) string { return "S" }, "client sent too many SETTINGS frames (ENHANCE_YOUR_CALM)", 101},
		"window flips": {hang, func(i int) string { return fmt.Sprintf("S 4=%d", i%2*60000) },
			"client sent too many SETTINGS frames (ENHANCE_YOUR_CALM)", 101},
		"PING flood":     {hang, func(int) string { return "P x" }, "client sent too many PING frames (ENHANCE_YOUR_CALM)", 501},
		"PRIORITY flood": {hang, func(i int) string { return "X 00000502000000000500000003ff" }, "client sent too many PRIORITY frames (ENHANCE_YOUR_CALM)", 1001},
		"PRIORITY_UPDATE flood": {hang, func(i int) string { return "X 00000710000000000000000001753d31" },
			"client sent too many PRIORITY frames (ENHANCE_YOUR_CALM)", 1001},
		"empty DATA": {hang, func(i int) string {
			if i == 0 {
				return "H1 post"
			}
			return "D1"
		}, "client sent too many empty frames (ENHANCE_YOUR_CALM)", 202},
		"window updates": {hang, func(int) string { return "W0 1" }, "client sent too many WINDOW_UPDATE frames (ENHANCE_YOUR_CALM)", 2100},
		"unknown frames": {hang, func(int) string { return "X 000001ee0000000001ff" }, "client sent too many useless frames (ENHANCE_YOUR_CALM)", 1001},
		"resets of ghosts": {echo, func(i int) string {
			if i == 0 {
				return "H1e get"
			}
			return "R1 8"
		}, "client sent too many useless frames (ENHANCE_YOUR_CALM)", 1003},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.serve)
				r.start()
				for i := range 10 * c.most {
					if err := r.send(c.attack(i)); err != nil {
						synctest.Wait()
						if got := r.told(); err.Error() != c.want || i > c.most || !strings.Contains(got, "ENHANCE_YOUR_CALM") {
							t.Errorf("after %d: %v; told %.200s", i, err, got)
						}
						return
					}
					synctest.Wait() // else streams may be refused because workers are slow, which counts otherwise
					if running := r.running(); running > 2*limits().MaxStreams {
						t.Fatalf("%d in work", running)
					}
				}
				t.Error("it never ended")
			})
		})
	}
}

// running is how many streams are in work.
func (r *rig) running() int {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.c.running
}

// A client that reads nothing holds no more memory than the connection's
// output and its streams' own buffers, whatever it asks for.
func TestUnreadAnswersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, echo)
		r.start()
		r.take(0)
		err := error(nil)
		n := 0
		for ; err == nil && n < 100_000; n++ {
			err = r.send("P x")
			if n%400 == 399 { // slowly enough not to be a flood
				time.Sleep(conductPeriod)
			}
		}
		if codeOf(err) != EnhanceYourCalm || n > controlFull+10 {
			t.Errorf("after %d pings: %v", n, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 1<<20)
		r := newRig(t, func(s *ServerStream) {
			s.SendTimeout = time.Minute
			s.Hold = 32 << 10
			answer(s, text)
		})
		r.start()
		r.take(0)
		for i := range 4 {
			if err := r.send(fmt.Sprintf("H%de get; W%d 100000000", 2*i+1, 2*i+1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.send("W0 1000000000"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.c.mu.Lock()
		held := r.c.output.size()
		for _, s := range r.c.streams {
			held += s.held.size
		}
		r.c.mu.Unlock()
		if held > 2*outputFull+4*(33<<10) {
			t.Errorf("%d bytes are held", held)
		}
		time.Sleep(2 * time.Minute) // the wire's own timeout is not this test's
		synctest.Wait()
		if n := r.running(); n != 1 { // the one that sends
			t.Errorf("%d streams still wait for a client that reads nothing", n)
		}
	})
}

// A window that is opened by a few bytes at a time cuts replies into crumbs
// only so often.
func TestTinyWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *ServerStream) { answer(s, strings.Repeat("x", 1<<20)) })
		r.start()
		if err := r.send("S 4=0; H1e get"); err != nil {
			t.Fatal(err)
		}
		err := error(nil)
		n := 0
		for ; err == nil && n < 5000; n++ {
			synctest.Wait()
			err = r.send("W1 1")
		}
		if codeOf(err) != EnhanceYourCalm || n > 1100 {
			t.Errorf("after %d: %v", n, err)
		}
	})
}

// A client that keeps a stream's window shut has it reset after send_timeout;
// the connection goes on.
func TestShutWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failed error
		r := newRig(t, func(s *ServerStream) {
			s.SendTimeout = time.Minute
			if len(s.Request.Head.Fields) > 1 {
				answer(s, strings.Repeat("x", 200_000))
				failed = s.Err()
				return
			}
			answer(s, "ok")
		})
		r.start()
		_ = r.send("H1e get a=b")
		time.Sleep(59 * time.Second)
		_ = r.send("H3e get")
		synctest.Wait()
		if got := r.told(); !strings.HasSuffix(got, "H3 :status=200 content-length=2") { // the connection's window is used up
			t.Error(got[max(0, len(got)-100):])
		}
		time.Sleep(2 * time.Second)
		_ = r.send("W0 1000")
		synctest.Wait()
		if got := r.told(); got != "R1 CANCEL; D3e ok" || failed != ErrStalled {
			t.Errorf("%s %v", got, failed)
		}
	})
}

// What SETTINGS let go leaves behind their acknowledgement.
func TestSettingsOpenWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *ServerStream) { answer(s, "ok") })
		r.start()
		_ = r.send("S 4=0; H1e get")
		synctest.Wait()
		_ = r.told()
		_ = r.send("S 4=2")
		synctest.Wait()
		if got := r.told(); got != "S ack; D1e ok" {
			t.Error(got)
		}
	})
}

// Uploads hold no more than the connection's window, whoever does not read
// them; what the peer sends beyond ends the connection.
func TestConnectionWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *ServerStream) { s.Pause(time.Hour) })
		r.c.limits.Window = maxWindow
		r.start()
		_ = r.send("H1 post")
		err := error(nil)
		n := 0
		for ; err == nil && n < 200; n++ {
			err = r.send("D1 " + strings.Repeat("x", 16000))
		}
		if codeOf(err) != FlowControlError || n != connWindow/16000+1 {
			t.Errorf("after %d frames: %v", n, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, echo)
		r.start()
		_ = r.send("H1 post; D1 " + strings.Repeat("x", 100) + "; D1e " + strings.Repeat("y", 100))
		synctest.Wait()
		if got := r.told(); !strings.HasPrefix(got, "W1") && !strings.HasPrefix(got, "H1e :status=200") {
			t.Error(got)
		}
		if r.c.recv.left+r.c.recv.owed != connWindow {
			t.Errorf("%+v: bytes that were read are not given back", r.c.recv)
		}
	})
}

// Bytes of streams that have been reset count for the connection's window, and
// come back.
func TestWindowOfTheReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *ServerStream) { answer(s, "early") })
		r.start()
		_ = r.send("H1 post; D1 abc")
		time.Sleep(restPatience)
		synctest.Wait()
		if got := r.told(); got != "H1 :status=200 content-length=5; D1e early; R1 NO_ERROR" {
			t.Error(got)
		}
		_ = r.send("D1 more; D1e end")
		synctest.Wait()
		if got := r.told(); got != "" || r.c.recv.left+r.c.recv.owed != connWindow {
			t.Errorf("%s, %+v", got, r.c.recv)
		}
	})
}

// Many clients lose a complete reply when RST_STREAM comes right behind it: the
// rest of a request that was not read has its time to come, within the window
// that it had.
func TestRestOfTheRequest(t *testing.T) {
	t.Parallel()
	const early = "H1 :status=200 content-length=5; D1e early"
	for rest, want := range map[string]string{
		"":                    "; later R1 NO_ERROR",
		"D1 more":             "; later R1 NO_ERROR",
		"D1 more; D1e end":    "; later ",
		"H1e x-t=1":           "; later ",
		"R1 8":                "; later ",
		"D1e short of length": "; R1 PROTOCOL_ERROR; later ",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(s *ServerStream) { answer(s, "early") })
			r.start()
			length := ""
			if strings.Contains(want, "PROTOCOL_ERROR") {
				length = " content-length=100"
			}
			_ = r.send("H1 post" + length + "; D1 abc")
			synctest.Wait()
			got := r.told()
			if rest != "" {
				_ = r.send(rest)
				synctest.Wait()
			}
			if more := r.told(); more != "" {
				got += "; " + more
			}
			time.Sleep(restPatience)
			synctest.Wait()
			if got += "; later " + r.told(); got != early+want {
				t.Errorf("%s:\n got  %s\n want %s", rest, got, early+want)
			}
			if r.c.recv.left+r.c.recv.owed != connWindow || r.c.running != 0 {
				t.Errorf("%s: %+v, %d in work", rest, r.c.recv, r.c.running)
			}
		})
	}
}

// Every waiting goroutine ends with the connection.
func TestFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := 0
		r := newRig(t, func(s *ServerStream) {
			s.Watch(func() { gone++ })
			switch s.id {
			case 1:
				_, err := s.Read()
				if err != ErrConnGone {
					t.Error(err)
				}
			case 3:
				answer(s, strings.Repeat("x", 1<<20))
			default:
				if err := s.Pause(time.Hour); err != ErrConnGone {
					t.Error(err)
				}
			}
			s.Unwatch()
		})
		r.start()
		_ = r.send("H1 post; H3e get; H5e get")
		synctest.Wait()
		r.c.Fail(io.EOF)
		r.c.Wait()
		if gone != 3 || r.running() != 0 {
			t.Errorf("%d of 3 were told", gone)
		}
	})
}

// Streams that wait get turns; urgent ones come first, and none starves.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *ServerStream) {
			s.Chunk, s.Hold = 8<<10, 256<<10
			answer(s, strings.Repeat("x", 128<<10))
		})
		r.start()
		r.take(0)
		_ = r.send("W0 10000000; S 4=1000000; H1e get; H3e get priority=u=5; H5e get priority=u=1; H7e get priority=u=5")
		synctest.Wait()
		r.take(-1)
		synctest.Wait()
		var order []string
		for f := range strings.SplitSeq(r.told(), "; ") {
			if strings.HasPrefix(f, "D") && strings.Contains(f, "e") {
				order = append(order, f[:2])
			}
		}
		// Stream 1 may have filled the output before the others came.
		if got := strings.Join(order, " "); len(order) != 4 || strings.Index(got, "D5") > strings.Index(got, "D3") || strings.Index(got, "D5") > strings.Index(got, "D7") {
			t.Errorf("ended in the order %s", got)
		}
	})
}
