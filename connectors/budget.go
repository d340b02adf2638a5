package connectors

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Budget is a run's declared limit of calls to the IdP. Everything that a run asks, its pull and its second looks,
// shares one by WithBudget; every attempt counts, also one that is tried again. It is safe for concurrent use.
type Budget struct {
	limit int64
	used  atomic.Int64
	kept  sync.Map
}

// NewBudget returns a budget of limit calls.
func NewBudget(limit int) *Budget { return &Budget{limit: int64(limit)} }

// Spend takes one call, or returns an Error with the fault OverBudget.
func (b *Budget) Spend() error { return b.take(1) }

// take takes several calls, or none of them.
func (b *Budget) take(calls int64) error {
	if b.used.Add(calls) <= b.limit {
		return nil
	}
	b.used.Add(-calls)
	return &Error{
		Fault:   OverBudget,
		Message: fmt.Sprintf("The run's limit of %d calls to the identity provider is used up", b.limit),
		Fix:     "Raise the limit, or let a later run go on.",
	}
}

// Spent returns how many calls were made.
func (b *Budget) Spent() int { return int(b.used.Load()) }

// Left returns how many calls may still be made.
func (b *Budget) Left() int { return int(max(0, b.limit-b.used.Load())) }

// Keep keeps for the rest of the run what several of its parts need and only one has to ask for.
func (b *Budget) Keep(key, value any) { b.kept.Store(key, value) }

// Kept returns what was kept under a key.
func (b *Budget) Kept(key any) (value any, ok bool) { return b.kept.Load(key) }

type budgetKey struct{}

// WithBudget returns a context whose calls to the IdP are taken from b.
func WithBudget(ctx context.Context, b *Budget) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

// BudgetFrom returns the context's budget, or nil. A connector without one makes its own for each operation.
func BudgetFrom(ctx context.Context) *Budget {
	b, _ := ctx.Value(budgetKey{}).(*Budget)
	return b
}
