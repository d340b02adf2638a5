package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/lib/pq"
)

// PostgreSQL's advisory locks of names are so many, from this key on. Names share them, since the server's table of locks is
// small and a push may name 100,000.
const (
	nameLocks   = 64
	nameLockKey = 7261349000
)

// Parallel reports whether other transactions write at the same time: SQLite has one writer.
func (t *tx) Parallel() bool { return t.db.dialect.name == postgres.name }

// LockNames takes the locks of names until the transaction's end; see roster.Tx.
func (t *tx) LockNames(ctx context.Context, org string, beside, alone []string) error {
	if !t.Parallel() || len(beside)+len(alone) == 0 {
		return nil
	}
	modes := map[int64]bool{}
	for _, name := range beside {
		modes[nameLock(org, name)] = false
	}
	for _, name := range alone {
		modes[nameLock(org, name)] = true
	}
	// In one order, so that two who take several don't wait for each other.
	keys := slices.Sorted(maps.Keys(modes))
	exclusive := make([]bool, len(keys))
	for i, k := range keys {
		exclusive[i] = modes[k]
	}
	const query = `SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(k) ELSE pg_advisory_xact_lock_shared(k) END
		FROM unnest(?::bigint[], ?::boolean[]) AS l (k, exclusive)`
	return t.exec(ctx, "lock names", query, pq.Array(keys), pq.Array(exclusive))
}

func nameLock(org, name string) int64 {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %s", org, name) // it never fails
	return nameLockKey + int64(h.Sum32()%nameLocks)
}
