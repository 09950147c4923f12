package clustertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/examples/selfsigned"
)

// browser is Chromium without a window, led by its DevTools protocol over two pipes.
type browser struct {
	t       *testing.T
	cmd     *exec.Cmd
	in, out *os.File
	unread  []byte
	calls   int
	session string // of the page
}

// startBrowser runs Chromium with an empty page until the test ends.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	home, err := os.MkdirTemp("", "weir-browser")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, cmd: exec.Command(program.Need(t, "chromium"), "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu",
		"--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run", "--ignore-certificate-errors",
		"--remote-debugging-pipe", "--user-data-dir="+home, "about:blank")}
	theirIn, ourIn, err1 := os.Pipe()
	ourOut, theirOut, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	b.in, b.out = ourIn, ourOut
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4, where it looks for them
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirIn.Close(), theirOut.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // it has nothing to save
		_ = b.cmd.Wait()
		_, _ = ourIn.Close(), ourOut.Close()
		_ = os.RemoveAll(home)
	})
	b.attach()
	return b
}

// attach makes a page and leads it from here on.
func (b *browser) attach() {
	b.t.Helper()
	var made struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
}

// call asks for something and waits for the answer; what the browser tells meanwhile is passed over.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.calls++
	ask := map[string]any{"id": b.calls, "method": method, "params": params}
	if b.session != "" {
		ask["sessionId"] = b.session
	}
	text, err := json.Marshal(ask)
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for {
		var said struct {
			ID            int
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal(b.next(), &said); err != nil {
			b.t.Fatal(err)
		}
		if said.ID != b.calls {
			continue
		}
		if said.Error != nil {
			b.t.Fatalf("%s: %s", method, said.Error)
		}
		if err := json.Unmarshal(said.Result, result); err != nil {
			b.t.Fatal(err)
		}
		return
	}
}

// next returns the browser's next message.
func (b *browser) next() []byte {
	b.t.Helper()
	if err := b.out.SetReadDeadline(time.Now().Add(limit)); err != nil {
		b.t.Fatal(err)
	}
	for {
		if message, rest, whole := bytes.Cut(b.unread, []byte{0}); whole {
			b.unread = rest
			return message
		}
		part := make([]byte, 64<<10)
		n, err := b.out.Read(part)
		if err != nil {
			b.t.Fatal("the browser says nothing more: ", err)
		}
		b.unread = append(b.unread, part[:n]...)
	}
}

// open goes to an address and waits until the page is there.
func (b *browser) open(url string) {
	b.t.Helper()
	var went struct{ ErrorText string }
	b.call("Page.navigate", map[string]any{"url": url}, &went)
	if went.ErrorText != "" {
		b.t.Fatalf("%s: %s", url, went.ErrorText)
	}
	b.run(`new Promise((go) => document.readyState === 'complete' ? go('') : addEventListener('load', () => go('')))`)
}

// run evaluates an expression on the page and returns the string that it promises.
func (b *browser) run(script string) string {
	b.t.Helper()
	var done struct {
		Result           struct{ Value string }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &done)
	if done.ExceptionDetails != nil {
		b.t.Fatalf("on the page: %s", done.ExceptionDetails)
	}
	return done.Result.Value
}

// TestBrowser lets a real browser use the example configuration with HTTP/2 switched on as in the guide: page, assets,
// forms, uploads and replies in pieces, and a WebSocket, all of them over one connection that outlasts a reload.
func TestBrowser(t *testing.T) {
	t.Parallel()
	program.Need(t, "chromium")
	f := &farm{binary: &binary{dir: t.TempDir(), addr: freeAddress(t)}, t: t}
	place := []string{"listen      127.0.0.1:8443 ssl;", "listen " + f.addr + " ssl http2;", "../run/ssl/", "", "127.0.0.1:8080", freeAddress(t)}
	for _, port := range []string{"3001", "3002"} {
		s := &farmServer{name: "n" + port, addr: freeAddress(t), script: filepath.Join(top, "examples", "app", "server.js")}
		f.raise(s)
		place = append(place, "127.0.0.1:"+port, s.addr)
	}
	pair, err := selfsigned.Make(selfsigned.ECDSA, "localhost")
	if err == nil {
		err = pair.Write(f.dir, "localhost")
	}
	text, err2 := os.ReadFile(filepath.Join(top, "examples", "nodejs-basic.conf"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	conf := fmt.Sprintf("error_log error.log notice;\npid weir.pid;\nevents {}\nhttp {\n"+
		"log_format way '$connection $http2 $request';\naccess_log access.log way;\n%s}\n", strings.NewReplacer(place...).Replace(string(text)))
	f.put(t, conf)
	f.start(t)
	script, err := os.ReadFile(filepath.Join("testdata", "browser.js"))
	if err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	_, port, _ := net.SplitHostPort(f.addr)
	b.open("https://localhost:" + port + "/")
	want := `page: Hello world from SERVER
assets: true
login: 200 true true
user: ann
upload: true
streamed upload: 15
reply in pieces: true
refused: 413
left: AbortError
websocket: connected to SERVER,ping
protocols: h2`
	check := func(want string) {
		t.Helper()
		got := strings.NewReplacer("n3001", "SERVER", "n3002", "SERVER").Replace(b.run(string(script)))
		if got != want {
			t.Errorf("the browser saw\n%s\nwant\n%s", got, want)
		}
	}
	check(want)
	f.Signal(syscall.SIGHUP)
	awaitLine(t, f, "error.log", "generation 2 serves")
	check(strings.Replace(want, "ping", "ping,ping", 1))
	b.run("new Promise((go) => { window.ws.onclose = () => go(''); window.ws.close(); })")
	awaitLine(t, f, "access.log", " h2 GET /wstunnel/")
	oneConnection(t, filepath.Join(f.dir, "access.log"))
}

// awaitLine waits until a log says something.
func awaitLine(t *testing.T, f *farm, log, want string) {
	t.Helper()
	err := f.Await(t.Context(), limit, func() error {
		text, err := os.ReadFile(filepath.Join(f.dir, log))
		if err == nil && !strings.Contains(string(text), want) {
			err = fmt.Errorf("%s does not say %q:\n%s", log, want, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// oneConnection checks that all requests of an access log have come over the same connection.
func oneConnection(t *testing.T, log string) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), " ")
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, first+" h2 ") {
			t.Errorf("not all requests came over connection %s by HTTP/2:\n%s", first, text)
			return
		}
	}
}
