package connectors_test

import (
	"sync"
	"testing"

	"github.com/rosterd/rosterd/connectors"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	b := connectors.NewBudget(10)
	ctx := connectors.WithBudget(t.Context(), b)
	var wg sync.WaitGroup
	refused := make(chan error, 25)
	for range 25 {
		wg.Go(func() {
			if err := connectors.BudgetFrom(ctx).Spend(); err != nil {
				refused <- err
			}
		})
	}
	wg.Wait()
	close(refused)
	if len(refused) != 15 || b.Spent() != 10 || b.Left() != 0 {
		t.Errorf("%d refused, %d spent, %d left", len(refused), b.Spent(), b.Left())
	}
	for err := range refused {
		if connectors.FaultOf(err) != connectors.OverBudget {
			t.Errorf("Spend = %v", err)
		}
	}
	if connectors.BudgetFrom(t.Context()) != nil {
		t.Error("a context has a budget that nobody gave it")
	}
}
