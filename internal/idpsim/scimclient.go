package idpsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// UserAgent is what a Pusher sends. Microsoft doesn't document the exact value; it holds the service's name.
const UserAgent = "Microsoft Azure AD Provisioning Service (Entra ID SCIM client)"

// errCredentials reports that the SCIM server refused the token: the job is quarantined at once.
var errCredentials = errors.New("the SCIM server refused the credentials")

// scimError is an answer that isn't a success.
type scimError struct {
	status int
	detail string
}

// Error returns the status and the server's detail.
func (e *scimError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.detail) }

// statusOf returns the HTTP status that err carries, or 0.
func statusOf(err error) int {
	if e, ok := errors.AsType[*scimError](err); ok {
		return e.status
	}
	return 0
}

type scimClient struct {
	base  string
	agent string // User-Agent
	cfg   PushConfig
	sent  atomic.Int64
}

func newSCIMClient(base string, cfg PushConfig) *scimClient {
	return &scimClient{base: base, agent: UserAgent, cfg: cfg}
}

// do sends a request and reads a JSON answer, trying again after a 429, a 5xx or no answer at all.
func (c *scimClient) do(ctx context.Context, method, path string, body any) (object, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	wait := c.cfg.Backoff
	for try := 0; ; try++ {
		out, after, err := c.once(ctx, method, path, payload)
		status := statusOf(err)
		again := err != nil && (status == 0 && ctx.Err() == nil || status == http.StatusTooManyRequests || status >= 500)
		if !again || try == c.cfg.Retries {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(max(wait, after), c.cfg.MaxWait)):
		}
		wait *= 2
	}
}

func (c *scimClient) once(ctx context.Context, method, path string, payload []byte) (object, time.Duration, error) {
	var from io.Reader
	if payload != nil {
		from = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, from) //nolint:gosec // the host is the configured target
	if err != nil {
		return nil, 0, fmt.Errorf("build request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/scim+json")
	if payload != nil {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	c.sent.Add(1)
	res, err := c.cfg.Client.Do(req) //nolint:gosec // the host is the configured target
	if err != nil {
		return nil, 0, fmt.Errorf("send: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("read answer: %w", err)
	}
	return decode(res, raw)
}

func decode(res *http.Response, raw []byte) (object, time.Duration, error) {
	seconds, _ := strconv.ParseFloat(res.Header.Get("Retry-After"), 64)
	after := time.Duration(seconds * float64(time.Second))
	var out object
	malformed := len(raw) > 0 && json.Unmarshal(raw, &out) != nil
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return nil, 0, errors.Join(errCredentials, &scimError{status: res.StatusCode, detail: detail(out)})
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, after, &scimError{status: res.StatusCode, detail: detail(out)}
	case malformed:
		return nil, 0, &scimError{status: res.StatusCode, detail: "the answer is not JSON"}
	}
	return out, 0, nil
}

func detail(body object) string {
	if s, ok := body["detail"].(string); ok {
		return s
	}
	return "no detail"
}

// list reads a ListResponse; the service wants totalResults and Resources to be there even when nothing is found.
func (c *scimClient) list(ctx context.Context, path string) ([]object, error) {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	list, ok := body["Resources"].([]any)
	if _, total := body["totalResults"].(float64); !ok || !total {
		return nil, &scimError{status: http.StatusOK, detail: "not a ListResponse with totalResults and Resources"}
	}
	out := make([]object, 0, len(list))
	for _, r := range list {
		if o, ok := r.(object); ok {
			out = append(out, o)
		}
	}
	return out, nil
}

// patch sends operations in the shape "PATCH /Users/{id}" of the SCIM tutorial.
func (c *scimClient) patch(ctx context.Context, path string, ops []object) error {
	_, err := c.do(ctx, http.MethodPatch, path, object{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops,
	})
	return err
}

// create sends a POST and returns the id of what was made.
func (c *scimClient) create(ctx context.Context, path string, body object) (string, error) {
	out, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return "", err
	}
	return idOf(out)
}

func idOf(resource object) (string, error) {
	id, _ := resource["id"].(string)
	if id == "" {
		return "", &scimError{status: http.StatusOK, detail: "the answer has no id"}
	}
	return id, nil
}
