package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

const (
	// defaultDeadline is how long a run may read everything.
	defaultDeadline = 6 * time.Hour
	// deltaShare is the part of it that a delta has: one that takes longer is overtaken by the full run.
	deltaShare = 12
)

var errDeadline = errors.New("the pull's deadline has passed")

// deadline returns how long the run may read.
func (w *worker) deadline() time.Duration {
	d := w.source.Deadline
	if d <= 0 {
		d = defaultDeadline
	}
	if w.run.Mode == roster.ModeDelta {
		d /= deltaShare
	}
	return d
}

// withinDeadline reads from the IdP. Where the deadline passes meanwhile, that is no error: what was read stands, no list that
// did not end is whole, and the run says so. With no page at all it is one.
func (w *worker) withinDeadline(ctx context.Context, s *sink, read func(context.Context) error) error {
	limit := w.deadline()
	reading, done := context.WithTimeoutCause(ctx, limit, errDeadline)
	defer done()
	s.landing = ctx // so that a page is never cut off while it lands
	err := read(reading)
	s.landing = nil
	if err == nil || ctx.Err() != nil || !errors.Is(context.Cause(reading), errDeadline) {
		return err
	}
	var pages, objects int
	w.note(func(r *roster.Run) { pages, objects = r.Pages, r.Objects })
	text := fmt.Sprintf("the pull's deadline of %s passed after %s, %s", limit,
		connectors.Counted(pages, "page"), connectors.Counted(objects, "object"))
	if pages == 0 {
		return &connectors.Error{Fault: connectors.Unreachable, Message: text, Fix: "See why the identity provider answers so slowly, or raise policy.pull_deadline."}
	}
	w.pulled.cut = true
	w.log.Warn("the pull was cut off", "why", text)
	w.incomplete = append(w.incomplete, text+": no list that had not ended counts as read whole. policy.pull_deadline sets it")
	return nil
}
