package connectors

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

type readsKey struct{}

// WithReads marks requests that only read though they are no GET, as a batch of reads is. Retry sends such a one again as it
// does a GET, and takes from the Budget as many calls as it carries.
func WithReads(ctx context.Context, calls int) context.Context {
	return context.WithValue(ctx, readsKey{}, calls)
}

// callsOf returns how many calls a request counts for.
func callsOf(ctx context.Context) int64 {
	calls, _ := ctx.Value(readsKey{}).(int)
	return int64(max(1, calls))
}

// onlyReads reports whether a request may be sent again whatever became of it.
func onlyReads(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Context().Value(readsKey{}) != nil
}

// rewindable keeps the body of a request that may be sent again.
func rewindable(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil || !onlyReads(req) {
		return req, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("read the body of a request: %w", err)
	}
	if err := req.Body.Close(); err != nil {
		return nil, fmt.Errorf("read the body of a request: %w", err)
	}
	kept := req.Clone(req.Context())
	kept.ContentLength = int64(len(body))
	kept.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return kept, nil
}

// anew returns the request as it is to be sent, with its whole body.
func anew(ctx context.Context, req *http.Request) (*http.Request, error) {
	out := req.Clone(ctx)
	if req.GetBody == nil || !onlyReads(req) {
		return out, nil
	}
	body, err := req.GetBody()
	out.Body = body
	return out, err
}

// Again waits before a part of a batch is asked for once more: as long as the IdP asked for or, where it said nothing, ever
// longer. It returns false where Retry would give up: after as many tries, or where the wait is too long for it or for the
// context's deadline.
func Again(ctx context.Context, try int, asked time.Duration) (bool, error) {
	wait := backoff(try)
	if asked > 0 {
		wait = asked + rand.N(500*time.Millisecond)
	}
	if try >= maxTries || wait > maxWait+time.Second {
		return false, nil
	}
	if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) <= wait {
		return false, nil
	}
	return true, sleep(ctx, wait)
}
