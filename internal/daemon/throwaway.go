package daemon

import (
	"context"

	"github.com/rosterd/rosterd/internal/store"
)

// ThrowAwaySchema makes an empty schema of its own in a PostgreSQL database, for something that must touch nothing else
// there: a demo, a benchmark. It returns the URL that works in it, and what drops it.
func ThrowAwaySchema(ctx context.Context, databaseURL string) (url string, drop func(context.Context) error, err error) {
	return store.ThrowAwaySchema(ctx, databaseURL)
}
