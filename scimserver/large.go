package scimserver

import (
	"context"
	"fmt"
	"sync"
)

const (
	// largeBody is from how many bytes on a body is large.
	largeBody = 1 << 20
	// largeAtOnce is how many large bodies are worked on at a time. Once it is read, one takes up some twenty times its size.
	largeAtOnce = 4
)

// admitLarge waits with a large body until others are done. The place is free again as soon as the answer begins, so that
// nobody keeps it by reading slowly, and at the latest when the request ends.
func (x *exchange) admitLarge() error {
	if len(x.body) < largeBody {
		return nil
	}
	ctx := x.r.Context()
	select {
	case x.s.large <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for other large requests: %w", ctx.Err())
	}
	x.leave = sync.OnceFunc(func() { <-x.s.large })
	context.AfterFunc(ctx, x.leave)
	return nil
}
