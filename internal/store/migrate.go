package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. The files are written once, with the words in braces filled in for the database.
// On PostgreSQL an advisory lock keeps replicas that start together from migrating twice.
func (db *DB) migrate(ctx context.Context) error {
	files := fstest.MapFS{}
	err := fs.WalkDir(migrations, "migrations", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, "migrations/")
		files[name] = &fstest.MapFile{Data: []byte(db.dialect.schema.Replace(string(text)))}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	kind := goose.DialectSQLite3
	opts := []goose.ProviderOption{goose.WithLogger(quiet{})}
	if db.dialect.name == postgres.name {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("prepare the migrations' lock: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(kind, db.write.DB, files, opts...)
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return db.makeSearchable(ctx)
}

// quiet keeps goose from printing: what it does is told by its error.
type quiet struct{}

func (quiet) Fatalf(string, ...any) {}
func (quiet) Printf(string, ...any) {}
