package store

import "context"

// Lose empties the stage as PostgreSQL does when it starts after a crash.
func (s *Stage) Lose(ctx context.Context) error { return s.clear(ctx) }
