package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

// ThrowAwaySchema makes an empty schema in a PostgreSQL database; it returns a URL whose connections work in it, and what
// drops it with everything in it.
func ThrowAwaySchema(ctx context.Context, databaseURL string) (string, func(context.Context) error, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", nil, errors.New("the database URL must begin with postgres://")
	}
	q := u.Query()
	if !q.Has("sslmode") {
		q.Set("sslmode", "require")
		u.RawQuery = q.Encode()
	}
	admin, err := sqlx.Open("postgres", u.String())
	if err != nil {
		return "", nil, fmt.Errorf("open PostgreSQL at %s: %w", u.Host, redactURL(err))
	}
	name := "rosterd_" + strings.ReplaceAll(roster.NewID(), "-", "")
	if _, err := admin.ExecContext(ctx, `CREATE SCHEMA `+name); err != nil {
		_ = admin.Close()
		return "", nil, fmt.Errorf("make a schema in PostgreSQL at %s: %w", u.Host, redactURL(err))
	}
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), func(ctx context.Context) error {
		_, err := admin.ExecContext(ctx, `DROP SCHEMA `+name+` CASCADE`)
		return errors.Join(err, admin.Close())
	}, nil
}
