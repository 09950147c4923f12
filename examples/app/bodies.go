package app

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for page.html
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var page string

func (a *App) showPage(w http.ResponseWriter, r *http.Request) {
	user, ok := a.user(r)
	if !ok {
		user = "nobody"
	}
	fill := strings.NewReplacer("{{server}}", html.EscapeString(a.name), "{{user}}", html.EscapeString(user))
	send(w, http.StatusOK, "text/html; charset=utf-8", []byte(fill.Replace(page)))
}

func (a *App) slow(w http.ResponseWriter, r *http.Request) {
	ms := number(r.URL.Query(), "ms", 1000, 0, int(maxWait.Milliseconds()))
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(ms) * time.Millisecond):
		sendText(w, http.StatusOK, fmt.Sprintf("%s waited %d ms\n", a.name, ms))
	}
}

func (a *App) stream(w http.ResponseWriter, r *http.Request) {
	lines := number(r.URL.Query(), "n", 5, 0, 10000)
	pause := time.Duration(number(r.URL.Query(), "ms", 200, 0, int(maxWait.Milliseconds()))) * time.Millisecond
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out.Flush()
	for i := range lines {
		fmt.Fprintf(w, "line %d of %d from %s\n", i+1, lines, a.name)
		out.Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
	}
}

func (a *App) trailers(w http.ResponseWriter, _ *http.Request) {
	text := fmt.Sprintf("this text is followed by its checksum, from %s\n", a.name)
	sum := sha256.Sum256([]byte(text))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Trailer", "X-Checksum")
	io.WriteString(w, text)
	w.Header().Set("X-Checksum", hex.EncodeToString(sum[:]))
}

// big sends KB lines of 1,024 bytes.
func (a *App) big(w http.ResponseWriter, r *http.Request) {
	kb := number(r.URL.Query(), "kb", 100, 0, maxKB)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(kb<<10))
	block := bytes.Repeat([]byte(strings.Repeat("x", 1023)+"\n"), 64)
	for left := kb; left > 0; left -= 64 {
		if _, err := w.Write(block[:min(left, 64)<<10]); err != nil {
			return // the reader went away
		}
	}
}

func (a *App) status(w http.ResponseWriter, r *http.Request) {
	code := number(r.URL.Query(), "code", 200, 200, 599)
	if code == http.StatusNoContent || code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	sendText(w, code, fmt.Sprintf("%d from %s\n", code, a.name))
}

// drop promises a body twice as long as what it sends before it breaks the connection.
func (a *App) drop(w http.ResponseWriter, r *http.Request) {
	kb := number(r.URL.Query(), "kb", 1, 0, 1024)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(kb*2048+1))
	w.Write(bytes.Repeat([]byte("x"), kb<<10))
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (a *App) echo(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	var kept bytes.Buffer
	first, err := io.Copy(io.MultiWriter(hash, &kept), io.LimitReader(r.Body, maxEcho))
	if err != nil {
		return // the client broke off; there is nobody to answer
	}
	rest, err := io.Copy(hash, r.Body)
	if err != nil {
		return
	}
	if rest > 0 {
		kept.Reset()
	}
	headers := lowered(r.Header)
	headers["host"] = []string{r.Host}
	if len(r.TransferEncoding) > 0 { // net/http takes it out of the header
		headers["transfer-encoding"] = r.TransferEncoding
	}
	sendJSON(w, http.StatusOK, map[string]any{
		"server": a.name, "method": r.Method, "url": r.RequestURI, "client": r.RemoteAddr,
		"version": fmt.Sprintf("%d.%d", r.ProtoMajor, r.ProtoMinor),
		"headers": headers, "trailers": lowered(r.Trailer),
		"bytes": first + rest, "sha256": hex.EncodeToString(hash.Sum(nil)), "body": kept.String(),
	})
}

// lowered copies a header with lower-case names, as server.js shows them.
func lowered(h http.Header) map[string][]string {
	fields := make(map[string][]string, len(h))
	for name, values := range h {
		if values != nil {
			fields[strings.ToLower(name)] = values
		}
	}
	return fields
}
