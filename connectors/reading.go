package connectors

import (
	"context"
	"errors"
	"log/slog"
)

// giveUpAfter is how many lists in a row may find the IdP throttling or out of reach before the rest isn't asked for.
const giveUpAfter = 3

// Page is one page of a list. The list ends only where Next is empty.
type Page[T any] struct {
	Items []T
	Next  string
}

// Fetch reads one page: the list's first when link is empty, else the one that the link leads to.
type Fetch[T any] func(ctx context.Context, link string) (Page[T], error)

// Walk reads a list to its end. Before each request it takes a stamp, which goes with the page to each. An error that comes
// after the first page says how far the list came. A long list whose page could not be had, though it was tried again and
// again, goes on from that page a little later.
func Walk[T any](
	ctx context.Context,
	stamp func(context.Context) (Stamp, error),
	read Fetch[T],
	each func(Stamp, []T) error,
) error {
	var so far
	for link := ""; ; {
		at, err := stamp(ctx)
		if err != nil {
			return err
		}
		p, err := read(ctx, link)
		if err != nil {
			if so.rest(ctx, err) {
				continue
			}
			return so.broke(ctx, err)
		}
		if err := each(at, p.Items); err != nil {
			return so.broke(ctx, err)
		}
		if p.Next == "" {
			return nil
		}
		if p.Next == link {
			return &Error{Fault: Broken, Message: "The link to the next page leads to the same page"}
		}
		link = p.Next
		so.pages, so.objects = so.pages+1, so.objects+len(p.Items)
	}
}

// Unstamped stands in for a sink's stamps where no sink is.
func Unstamped(context.Context) (Stamp, error) { return 0, nil }

// Reading keeps the books of one pull: the stamps that lists began with, how they ended, and whether it is worth to ask
// for more.
type Reading struct {
	Sink Sink
	Log  *slog.Logger
	// GaveUp is why nothing more is asked for. Lists not read then are reported with it.
	GaveUp error
	inARow int
}

// List is a collection while it is read.
type List struct {
	Collection
	begun bool
}

// NewList returns a list that is not begun.
func NewList(kind CollectionKind, id, name string) *List {
	return &List{Collection: Collection{Kind: kind, ID: id, Name: name}}
}

// halt marks an error of the sink, which ends the pull.
type halt struct{ err error }

func (h halt) Error() string { return h.err.Error() }
func (h halt) Unwrap() error { return h.err }

// Halt marks an error of the sink: it ends the pull, whatever list it came up in.
func Halt(err error) error {
	if err == nil {
		return nil
	}
	return halt{err}
}

// Halted returns the sink's error as the sink returned it, and any other as it is.
func Halted(err error) error {
	var h halt
	if errors.As(err, &h) {
		return h.err
	}
	return err
}

// Stamp asks the sink for a stamp.
func (r *Reading) Stamp(ctx context.Context) (Stamp, error) {
	at, err := r.Sink.Stamp(ctx)
	return at, Halt(err)
}

// Stamps returns a source of stamps for the requests of a list, which notes the first.
func (r *Reading) Stamps(l *List) func(context.Context) (Stamp, error) {
	return func(ctx context.Context) (Stamp, error) {
		at, err := r.Stamp(ctx)
		if err == nil && !l.begun {
			l.Began, l.begun = at, true
		}
		return at, err
	}
}

// Expect tells a sink that wants to know how many objects there are of a kind.
func (r *Reading) Expect(kind CollectionKind, n int) {
	if e, wants := r.Sink.(Expecter); wants {
		e.Expect(kind, n)
	}
}

// Stops reports whether an error ends the pull: the sink's, or the end of the context.
func (r *Reading) Stops(ctx context.Context, err error) bool {
	var h halt
	return ctx.Err() != nil || errors.As(err, &h)
}

// Lost notes why a list broke off, and gives up once the next list would meet the same.
func (r *Reading) Lost(err error) {
	switch FaultOf(err) {
	case OverBudget, BadCredentials:
		r.GaveUp = err
	case Throttled, Unreachable:
		if r.inARow++; r.inARow >= giveUpAfter {
			r.GaveUp = err
		}
	}
}

// Finish ends a list that was read, whole or up to the error. It returns the error only if that ends the pull.
func (r *Reading) Finish(ctx context.Context, l *List, broke error) error {
	switch {
	case broke == nil:
		r.inARow = 0
	case r.Stops(ctx, broke):
		return broke
	default:
		r.Lost(broke)
	}
	return r.End(ctx, l, broke)
}

// End reports a list.
func (r *Reading) End(ctx context.Context, l *List, broke error) error {
	l.Whole = broke == nil
	if broke != nil {
		l.Err = broke.Error()
		r.Log.WarnContext(ctx, "a list was not read whole", slog.String("kind", string(l.Kind)),
			slog.String("id", l.ID), slog.String("name", l.Name), slog.String("error", l.Err))
	}
	return Halt(r.Sink.Collection(ctx, l.Collection))
}
