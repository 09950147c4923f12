package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config/errno"
)

// Client asks a node by its control socket. Its errors are *Failure for what
// the node refuses, and *UnreachableError where there is no node. The fields are
// set before the first use.
type Client struct {
	Path string // of the socket
	// Request names the writes, so that repeating one does it at most once;
	// empty: each call has a name of its own.
	Request string
	// Linearizable has reads see all that was acknowledged before, on whichever
	// node; else they see what this node has applied.
	Linearizable bool
	// Wait is how long writes wait for a leader, nil as long as is usual.
	Wait *time.Duration
}

// UnreachableError says that nobody answers at a control socket.
type UnreachableError struct {
	Path string
	Err  error
}

// Error says what may be the matter.
func (e *UnreachableError) Error() string {
	hint := ""
	switch {
	case errors.Is(e.Err, syscall.ENOENT), errors.Is(e.Err, syscall.ECONNREFUSED):
		hint = ": is weir running?"
	case errors.Is(e.Err, syscall.EACCES), errors.Is(e.Err, syscall.EPERM):
		hint = ": only root and the user that weir runs as may use it"
	}
	return fmt.Sprintf("connect() to unix:%s failed (%s)%s", e.Path, errno.Text(e.Err), hint)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Status returns how the node and its cluster fare.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.get(ctx, "/v1/status", &s)
}

// Members returns the nodes of the cluster.
func (c *Client) Members(ctx context.Context) (list []Member, err error) {
	return list, c.get(ctx, "/v1/members", &list)
}

// Upstreams returns all upstreams.
func (c *Client) Upstreams(ctx context.Context) (list []Upstream, err error) {
	return list, c.get(ctx, "/v1/upstreams", &list)
}

// Upstream returns one upstream.
func (c *Client) Upstream(ctx context.Context, name string) (u Upstream, err error) {
	return u, c.get(ctx, "/v1/upstreams/"+url.PathEscape(name), &u)
}

// Outcome returns what came of an earlier write.
func (c *Client) Outcome(ctx context.Context, request string) (o Outcome, err error) {
	return o, c.get(ctx, "/v1/requests/"+url.PathEscape(request), &o)
}

// AddServer adds a server to an upstream.
func (c *Client) AddServer(ctx context.Context, upstream string, s NewServer) (Outcome, error) {
	return c.write(ctx, http.MethodPost, serversPath(upstream), s)
}

// EditServer changes a server, named as in its line or by its route.
func (c *Client) EditServer(ctx context.Context, upstream, server string, e ServerEdit) (Outcome, error) {
	return c.write(ctx, http.MethodPatch, serversPath(upstream)+"/"+url.PathEscape(server), e)
}

// RemoveServer takes a server out.
func (c *Client) RemoveServer(ctx context.Context, upstream, server string) (Outcome, error) {
	return c.write(ctx, http.MethodDelete, serversPath(upstream)+"/"+url.PathEscape(server), nil)
}

func serversPath(upstream string) string {
	return "/v1/upstreams/" + url.PathEscape(upstream) + "/servers"
}

// Transfer has another node lead.
func (c *Client) Transfer(ctx context.Context) (Outcome, error) {
	return c.write(ctx, http.MethodPost, "/v1/cluster/transfer", nil)
}

// Leave takes the node out of its cluster for good.
func (c *Client) Leave(ctx context.Context) (Outcome, error) {
	return c.write(ctx, http.MethodPost, "/v1/cluster/leave", nil)
}

// RemoveNode shuts a node out for good, named by name or id.
func (c *Client) RemoveNode(ctx context.Context, node string) (Outcome, error) {
	return c.write(ctx, http.MethodDelete, "/v1/members/"+url.PathEscape(node), nil)
}

// Recover makes a quorum anew of the node alone.
func (c *Client) Recover(ctx context.Context, r Recovery) (Outcome, error) {
	return c.write(ctx, http.MethodPost, "/v1/cluster/recover", r)
}

// Rotate makes new keys.
func (c *Client) Rotate(ctx context.Context, r Rotation) (Outcome, error) {
	return c.write(ctx, http.MethodPost, "/v1/cluster/keys/rotate", r)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	if c.Linearizable {
		path += "?consistency=linearizable"
	}
	_, err := c.ask(ctx, http.MethodGet, path, nil, into)
	return err
}

// write asks for a change. Where it was asked for and no answer came, it may
// have been done.
func (c *Client) write(ctx context.Context, method, path string, body any) (o Outcome, err error) {
	if c.Wait != nil {
		path += "?wait=" + c.Wait.String()
	}
	request, err := c.ask(ctx, method, path, body, &o)
	var told *Failure
	var nobody *UnreachableError
	if err != nil && !errors.As(err, &told) && !errors.As(err, &nobody) {
		return o, &Failure{Code: OutcomeUnknown, Text: fmt.Sprintf("no answer to request %s: %v", request, err), Request: request}
	}
	return o, err
}

// maxAnswer bounds what a node may answer, in bytes: an upstream can have ten
// thousand servers.
const maxAnswer = 64 << 20

// ask sends a request, and reads the answer into into. It returns the name under
// which it asked.
func (c *Client) ask(ctx context.Context, method, path string, body, into any) (request string, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return "", err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	if method != http.MethodGet {
		if request = c.Request; request == "" {
			request = NewRequest()
		}
		r.Header.Set(headerRequest, request)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	reply, err := client.Do(r)
	if err != nil {
		var nobody *UnreachableError
		if errors.As(err, &nobody) {
			return request, nobody
		}
		return request, err
	}
	defer reply.Body.Close()
	text, err = io.ReadAll(io.LimitReader(reply.Body, maxAnswer))
	switch {
	case err != nil:
		return request, err
	case reply.StatusCode/100 == 2:
		return request, json.Unmarshal(text, into)
	}
	var told failureBody
	if err := json.Unmarshal(text, &told); err != nil || told.Error == nil {
		return request, fmt.Errorf("answer %s: %q", reply.Status, text)
	}
	return request, told.Error
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		return nil, &UnreachableError{c.Path, err}
	}
	return conn, nil
}
