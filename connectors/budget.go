package connectors

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Budget is a run's declared limit of calls to the IdP. Everything that a run asks, its pull and its second looks,
// shares one by WithBudget; every attempt counts, also one that is tried again. It is safe for concurrent use.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a budget of limit calls.
func NewBudget(limit int) *Budget { return &Budget{limit: int64(limit)} }

// Spend takes one call, or returns an Error with the fault OverBudget.
func (b *Budget) Spend() error {
	if b.used.Add(1) <= b.limit {
		return nil
	}
	b.used.Add(-1)
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
