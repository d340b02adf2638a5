package connectors

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	// longList is from how many pages on a list is worth waiting for: a shorter one is soon read anew.
	longList = 50
	// mostRests is how often a list waits.
	mostRests = 3
	// longestRest bounds one wait.
	longestRest = 15 * time.Minute
)

// far is how far a list has come.
type far struct {
	pages, objects int
	rests          int
}

// rest waits where a long list may go on from the page that failed, and reports whether it may. Lists are read by one
// link after the other: without the page nothing behind it can be had either.
func (f *far) rest(ctx context.Context, err error) bool {
	var e *Error
	if f.pages < longList || f.rests >= mostRests || !errors.As(err, &e) || ctx.Err() != nil {
		return false
	}
	wait := coolDown << f.rests
	switch {
	case e.Fault == Throttled:
		wait = max(e.RetryAfter, firstPause)
	case e.Fault == Unreachable && e.Status != http.StatusInternalServerError: // that one is about the page
		wait = max(wait, e.RetryAfter)
	default:
		return false
	}
	wait += rand.N(spread)
	if deadline, limited := ctx.Deadline(); wait > longestRest || limited && time.Until(deadline) < wait {
		return false
	}
	f.rests++
	return sleep(ctx, wait) == nil
}

// broke says how far the list came.
func (f *far) broke(ctx context.Context, err error) error {
	var h halt
	if f.pages == 0 || ctx.Err() != nil || errors.As(err, &h) {
		return err
	}
	return fmt.Errorf("after %s, %s: %w", Counted(f.pages, "page"), Counted(f.objects, "object"), err)
}

// Counted writes how many of something there are.
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
