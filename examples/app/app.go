package app

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what one request may ask for; server.js has the same.
const (
	maxForm = 16 << 10 // bytes of a login form
	maxEcho = 64 << 10 // bytes of a body given back as text; longer ones are only counted and hashed
	maxWait = 10 * time.Minute
	maxKB   = 1 << 20 // KB of one /webapp/big reply
)

// App is the application: an http.Handler, safe for concurrent use.
type App struct {
	name   string
	mux    *http.ServeMux
	cached atomic.Int64

	mu       sync.Mutex
	sessions map[string]string // session id → user; lost with the process, on purpose
}

// New returns an application that calls itself name in every reply.
func New(name string) *App {
	a := &App{name: name, mux: http.NewServeMux(), sessions: map[string]string{}}
	a.mux.HandleFunc("GET /webapp/{$}", a.showPage)
	a.mux.HandleFunc("POST /webapp/login", a.login)
	a.mux.HandleFunc("POST /webapp/logout", a.logout)
	a.mux.HandleFunc("GET /webapp/me", a.showUser)
	a.mux.HandleFunc("GET /webapp/cached", a.showCached)
	a.mux.HandleFunc("GET /webapp/slow", a.slow)
	a.mux.HandleFunc("GET /webapp/stream", a.stream)
	a.mux.HandleFunc("GET /webapp/trailers", a.trailers)
	a.mux.HandleFunc("GET /webapp/big", a.big)
	a.mux.HandleFunc("GET /webapp/status", a.status)
	a.mux.HandleFunc("GET /webapp/drop", a.drop)
	a.mux.HandleFunc("GET /webapp/health", a.health)
	a.mux.HandleFunc("GET /health", a.health)
	a.mux.HandleFunc("/webapp/echo", a.echo)
	a.mux.HandleFunc("/wstunnel/{$}", a.webSocket)
	a.mux.HandleFunc("/", a.notFound)
	return a
}

// ServeHTTP answers one request; the X-Server field names the application.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Server", a.name)
	a.mux.ServeHTTP(w, r)
}

func (a *App) notFound(w http.ResponseWriter, _ *http.Request) {
	sendText(w, http.StatusNotFound, fmt.Sprintf("no such page on %s\n", a.name))
}

func (a *App) health(w http.ResponseWriter, _ *http.Request) {
	sendText(w, http.StatusOK, fmt.Sprintf("ok %s\n", a.name))
}

func (a *App) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	user := r.PostFormValue("user")
	if user == "" {
		sendText(w, http.StatusBadRequest, "the form has no user\n")
		return
	}
	id := make([]byte, 16)
	rand.Read(id)
	key := hex.EncodeToString(id)
	a.mu.Lock()
	a.sessions[key] = user
	a.mu.Unlock()
	w.Header().Set("Set-Cookie", "sid="+key+"; Path=/webapp/; HttpOnly; SameSite=Lax")
	w.Header().Set("Location", "/webapp/")
	sendText(w, http.StatusSeeOther, fmt.Sprintf("signed in on %s\n", a.name))
}

func (a *App) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("sid"); err == nil {
		a.mu.Lock()
		delete(a.sessions, c.Value)
		a.mu.Unlock()
	}
	w.Header().Set("Set-Cookie", "sid=; Path=/webapp/; Max-Age=0")
	w.Header().Set("Location", "/webapp/")
	sendText(w, http.StatusSeeOther, fmt.Sprintf("signed out on %s\n", a.name))
}

// user returns who is signed in here by the request's cookie.
func (a *App) user(r *http.Request) (string, bool) {
	c, err := r.Cookie("sid")
	if err != nil {
		return "", false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	user, ok := a.sessions[c.Value]
	return user, ok
}

func (a *App) showUser(w http.ResponseWriter, r *http.Request) {
	user, ok := a.user(r)
	if !ok {
		sendJSON(w, http.StatusUnauthorized, map[string]any{"server": a.name, "user": nil})
		return
	}
	sendJSON(w, http.StatusOK, map[string]any{"server": a.name, "user": user})
}

func (a *App) showCached(w http.ResponseWriter, r *http.Request) {
	count := a.cached.Add(1)
	w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", number(r.URL.Query(), "s", 60, 0, 86400)))
	w.Header().Set("ETag", `"v1"`)
	if r.Header.Get("If-None-Match") == `"v1"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	sendJSON(w, http.StatusOK, map[string]any{"server": a.name, "count": count})
}

func sendText(w http.ResponseWriter, code int, text string) {
	send(w, code, "text/plain; charset=utf-8", []byte(text))
}

func sendJSON(w http.ResponseWriter, code int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		sendText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	send(w, code, "application/json", append(text, '\n'))
}

func send(w http.ResponseWriter, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

// number reads a query parameter as a whole number between low and high, or gives the fallback.
func number(query url.Values, name string, fallback, low, high int) int {
	n, err := strconv.ParseUint(query.Get(name), 10, 31)
	if err != nil {
		return fallback
	}
	return min(max(int(n), low), high)
}
