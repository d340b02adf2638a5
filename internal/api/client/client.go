package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	prefix      = "/api/v1"
	dialTimeout = 10 * time.Second
	// maxProblem bounds what is read of an error answer.
	maxProblem = 1 << 20
)

// Options say where the daemon is: on the unix socket at Socket or, where Server is set, at that URL.
type Options struct {
	Socket string
	Server string
	APIKey string // sent as a bearer token; not needed on the socket
}

// Client speaks to one daemon's management API.
type Client struct {
	base   string // scheme, host and path before the prefix
	server string // Server as given; empty on a socket
	socket string
	apiKey string
	http   *http.Client
}

// New returns a client. It doesn't connect yet.
func New(o Options) (*Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout}
	dialer := &net.Dialer{Timeout: dialTimeout}
	c := &Client{apiKey: o.APIKey, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}}
	if o.Server != "" {
		base, err := serverBase(o.Server)
		if err != nil {
			return nil, err
		}
		transport.DialContext = dialer.DialContext
		c.base, c.server = base, o.Server
		return c, nil
	}
	if err := CheckSocket(o.Socket); err != nil {
		return nil, err
	}
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", o.Socket)
	}
	c.base, c.socket = "http://rosterd", o.Socket
	return c, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func serverBase(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("the server must be an absolute http or https URL, such as https://id.example.com")
	}
	return strings.TrimRight(server, "/"), nil
}

// SocketPath returns where the daemon of that data directory listens.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, "rosterd.sock") }

// CheckSocket returns an error if the system has no room for that path in a socket's address.
func CheckSocket(path string) error {
	limit := 103
	if runtime.GOOS == "linux" {
		limit = 107
	}
	if path == "" {
		return fmt.Errorf("the path of the daemon's socket is empty")
	}
	if len(path) > limit {
		return fmt.Errorf("the path of the daemon's socket is too long: %s has %d bytes, and a socket's path may have %d here: choose a shorter --data-dir (a relative one counts as it is written)",
			path, len(path), limit)
	}
	return nil
}

// call sends body, nil for none, and decodes the answer.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any) (T, error) {
	var out T
	err := c.do(ctx, method, path, query, body, &out)
	return out, err
}

// do sends one request. Where out is nil the answer's body is dropped.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	request, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return problem(response)
	}
	if out == nil {
		return nil
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the answer to %s %s is not what this version of rosterd reads: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	address := c.base + prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+c.apiKey)
	}
	return request, nil
}

// path joins segments, each escaped.
func path(segments ...string) string {
	var b strings.Builder
	for _, segment := range segments {
		b.WriteByte('/')
		switch segment {
		case ".", "..":
			// The mux would take these for parts of the path; escaped they reach the handler.
			b.WriteString(strings.ReplaceAll(segment, ".", "%2E"))
		default:
			b.WriteString(url.PathEscape(segment))
		}
	}
	return b.String()
}
