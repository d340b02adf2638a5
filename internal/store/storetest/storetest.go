// Package storetest opens databases for tests: SQLite in a temporary folder, and PostgreSQL in a database of its own on
// the server that ROSTERD_TEST_POSTGRES names.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/store"
)

// Database is where a test's database is: a folder for SQLite or a URL for PostgreSQL.
type Database struct {
	Kind string // "sqlite" or "postgres"
	Dir  string
	URL  string
}

// Each runs a test once on each database.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachDatabase(t, func(t *testing.T, d Database) {
		t.Helper()
		test(t, Open(t, d))
	})
}

// EachDatabase is Each for tests that open the database themselves, or hand it to another process.
func EachDatabase(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, Database{Kind: "sqlite", Dir: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { test(t, Database{Kind: "postgres", Dir: t.TempDir(), URL: Postgres(t)}) })
}

// Open opens a test's database and closes it at the end.
func Open(t testing.TB, d Database) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), d.URL, d.Dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Postgres makes an empty database on the test server and returns its URL. Without a server the test is skipped, but not
// in CI, where it fails.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("ROSTERD_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ROSTERD_TEST_POSTGRES is not set: run the tests by `make test`")
		}
		t.Skip("ROSTERD_TEST_POSTGRES is not set: run the tests by `make test`, which starts a server of its own")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sqlx.Open("postgres", server)
	if err != nil {
		t.Fatal(err)
	}
	suffix := make([]byte, 8)
	_, _ = rand.Read(suffix)
	name := "rosterd_test_" + hex.EncodeToString(suffix)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := admin.ExecContext(ctx, `CREATE DATABASE `+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = admin.ExecContext(context.Background(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		_ = admin.Close()
	})
	u.Path = "/" + name
	return u.String()
}

// Number has an organisation's events numbered, all of them. On PostgreSQL they are numbered behind the oldest open
// transaction of the whole server, which may be another test's: then it is tried again.
func Number(t testing.TB, db *store.DB, org string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := db.NumberEvents(context.Background()); err != nil {
			t.Fatal(err)
		}
		waiting := false
		for after := ""; ; {
			events, next, err := db.Events(context.Background(), org, store.List{After: after})
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				waiting = waiting || events[i].Number == 0
			}
			if after = next; next == "" {
				break
			}
		}
		if !waiting {
			return
		}
	}
	t.Fatal("the events were not numbered")
}
