package syncer

import (
	"context"
	"slices"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// lookedAtOnce is how many people are looked at together. Few, as each look is as old as the request that made it.
const lookedAtOnce = 10

// expect notes whom looks will be asked for next, in that order. What was looked at before and not asked for is forgotten.
func (w *worker) expect(ids []string) { w.expected, w.ahead = ids, nil }

// lookTogether returns the look at a person that was made together with others', or makes one at them and at those who are
// expected next. It returns nil where that person is to be looked at alone.
func (w *worker) lookTogether(ctx context.Context, objectID string) (*roster.Look, error) {
	if l := w.ahead[objectID]; l != nil {
		delete(w.ahead, objectID)
		return l, nil
	}
	many, ok := w.source.Reader.(connectors.ManyReader)
	i := slices.Index(w.expected, objectID)
	if !ok || i < 0 {
		return nil, nil //nolint:nilnil // alone: said in the comment
	}
	// The look that this is for is counted already.
	some := w.expected[i:min(i+lookedAtOnce, i+1+w.cfg.Looks-w.looks, len(w.expected))]
	w.expected = w.expected[i+len(some):]
	if len(some) < 2 {
		return nil, nil //nolint:nilnil // alone
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return nil, err
	}
	found, err := many.People(ctx, some)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil { // a look at one of them says it
		w.log.Debug("look at several people", "error", explain(err))
		w.expected = nil
	}
	w.ahead = make(map[string]*roster.Look, len(found))
	for id, p := range found {
		w.ahead[id] = w.lookOf(p, stamp, at)
	}
	l := w.ahead[objectID]
	delete(w.ahead, objectID)
	return l, nil
}
