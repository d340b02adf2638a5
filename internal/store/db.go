// Package store keeps everything in SQLite (the embedded default) or PostgreSQL. It implements roster.Tx, the narrow
// interface through which Commit works, and the reads. SQL is plain and stands beside the method that runs it; it is the
// same for both databases but for what dialect holds.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rosterd/rosterd/internal/roster"
)

// DB is the database. It is safe for concurrent use.
type DB struct {
	write   *sqlx.DB // PostgreSQL: the pool; SQLite: the one connection of group
	read    *sqlx.DB
	dialect dialect
	log     *slog.Logger
	path    string       // SQLite's file
	url     string       // PostgreSQL's
	scratch string       // folder for SQLite's staging files
	group   *groupCommit // SQLite: everything that is written goes through it
}

// Kind returns "sqlite" or "postgres".
func (db *DB) Kind() string { return db.dialect.name }

// Open opens the database at a postgres:// URL, or, where url is empty, the SQLite file rosterd.db under dir, which is
// made if it isn't there. It brings the schema up to date.
func Open(ctx context.Context, databaseURL, dir string, log *slog.Logger) (*DB, error) {
	if databaseURL != "" {
		return openPostgres(ctx, databaseURL, log)
	}
	return openSQLite(ctx, dir, log)
}

func openPostgres(ctx context.Context, databaseURL string, log *slog.Logger) (*DB, error) {
	u, err := url.Parse(databaseURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("the database URL must begin with postgres://")
	}
	q := u.Query()
	if !q.Has("sslmode") {
		q.Set("sslmode", "require")
	}
	if !q.Has("binary_parameters") { // one round trip for a statement with parameters instead of two
		q.Set("binary_parameters", "yes")
	}
	u.RawQuery = q.Encode()
	connector, err := newPostgresConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL at %s: %w", u.Host, redactURL(err))
	}
	pool := sqlx.NewDb(sql.OpenDB(connector), "postgres")
	pool.SetMaxOpenConns(32)
	pool.SetMaxIdleConns(16)
	db := &DB{write: pool, read: pool, dialect: postgres, log: log, url: u.String()}
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("connect to PostgreSQL at %s: %w", u.Host, redactURL(err))
	}
	return db, db.migrate(ctx)
}

// redactURL drops the URL that net/url puts into its errors, since it may hold a password.
func redactURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

func openSQLite(ctx context.Context, dir string, log *slog.Logger) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	path := filepath.Join(dir, "rosterd.db")
	scratch := filepath.Join(dir, "staging")
	if err := os.RemoveAll(scratch); err != nil {
		return nil, fmt.Errorf("clear old staging files: %w", err)
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make the staging directory: %w", err)
	}
	write, err := sqlx.Open(sqliteDriver, sqliteDSN(path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	db := &DB{write: write, dialect: sqliteDialect, log: log, path: path, scratch: scratch}
	if err := db.migrate(ctx); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.group = &groupCommit{db: db} // from here on it has the connection
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("protect %s: %w", path, err)
	}
	db.read, err = sqlx.Open(sqliteDriver, sqliteDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open %s for reading: %w", path, err)
	}
	db.read.SetMaxOpenConns(8)
	db.read.SetMaxIdleConns(8) // opening one costs more than a query
	return db, nil
}

const sqliteDriver = "sqlite"

// sqliteDSN names a file with the settings of every connection: WAL, so that readers don't wait for the writer, and
// synchronous FULL, so that what was acknowledged survives a power cut.
func sqliteDSN(path string, more ...string) string {
	opts := append([]string{
		"_pragma=busy_timeout(15000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=temp_store(MEMORY)",
		"_pragma=case_sensitive_like(1)", // as in PostgreSQL
	}, more...)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(opts, "&")
}

// Close closes the database.
func (db *DB) Close() error {
	var err error
	if db.group != nil {
		err = db.group.close()
	}
	err = errors.Join(err, db.write.Close())
	if db.read != db.write {
		err = errors.Join(err, db.read.Close())
	}
	return err
}

// Ping checks that the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.read.PingContext(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// InTx runs fn in one transaction and commits it. A deadlock or serialisation failure is tried again from the start; so
// is, a few times, a unique key taken in between, for the rules then see who has it.
func (db *DB) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	const tries = 8
	for try := 1; ; try++ {
		err := db.inTx(ctx, fn)
		if err == nil || try == tries || !db.retryable(err, try) {
			return storeError(err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("commit: %w", ctx.Err())
		case <-time.After(time.Duration(try*try) * 2 * time.Millisecond):
		}
	}
}

// inTx runs fn once. On SQLite, which has one writer, transactions that wait for each other share one commit.
func (db *DB) inTx(ctx context.Context, fn func(roster.Tx) error) error {
	if db.group != nil {
		return db.group.do(ctx, fn)
	}
	stx, err := db.write.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { _ = stx.Rollback() }() // after a commit it does nothing
	t := &tx{querier: stx, db: db}
	if err := t.begin(ctx); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	if err := stx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// execLazily runs a statement whose commit waits for no disk: of what a run that isn't finished writes down, a crash of the
// database server may take the last moments, as it takes the staging; the run begins anew then.
func (db *DB) execLazily(ctx context.Context, query string, args ...any) error {
	if db.dialect.lazily == "" {
		return db.exec(ctx, query, args...)
	}
	stx, err := db.write.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { _ = stx.Rollback() }()
	if _, err := stx.ExecContext(ctx, db.dialect.lazily); err != nil {
		return fmt.Errorf("commit lazily: %w", err)
	}
	if _, err := stx.ExecContext(ctx, db.bind(query), args...); err != nil {
		return err
	}
	return stx.Commit()
}

// Stamp reads the store's commit sequence: what commits later has a higher one.
func (db *DB) Stamp(ctx context.Context) (int64, error) {
	var n int64
	if err := db.read.GetContext(ctx, &n, db.dialect.stamp); err != nil {
		return 0, fmt.Errorf("read the commit sequence: %w", err)
	}
	return n, nil
}

// Now is the database's time.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	var n int64
	if err := db.read.GetContext(ctx, &n, "SELECT "+db.dialect.now); err != nil {
		return time.Time{}, fmt.Errorf("read the database's time: %w", err)
	}
	return fromMicros(n), nil
}

func (db *DB) retryable(err error, try int) bool {
	var pe *pq.Error
	if errors.As(err, &pe) {
		switch pe.Code {
		case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
			return true
		case "23505": // unique_violation
			return try <= 3
		}
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()&0xff == sqlite3.SQLITE_BUSY || se.Code()&0xff == sqlite3.SQLITE_LOCKED
	}
	return false
}

// storeError turns a driver's error into a code, by SQLSTATE or SQLite's result code, never by text.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	var pe *pq.Error
	if errors.As(err, &pe) && pe.Code == "23505" {
		return &roster.Error{Code: roster.Conflict, Message: "a unique value is taken", Detail: pe.Constraint}
	}
	var se *sqlite.Error
	if errors.As(err, &se) && (se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || se.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return &roster.Error{Code: roster.Conflict, Message: "a unique value is taken", Detail: "constraint"}
	}
	return err
}

// dialect holds where the two databases differ.
type dialect struct {
	name        string
	nextSeq     string // returns the next commit sequence number and the time
	stamp       string // returns the last commit sequence number
	now         string // an expression: microseconds since 1970
	bytewise    string // appended to a text expression that isn't a column: it compares by bytes
	timeText    string // an expression: the microseconds at {at} as folded text of RFC 3339
	reason      string // an expression: the reason in an action's drift
	lock        string // appended to a SELECT to lock its rows
	lockMembers string // the same, for those of the alias m alone
	lockTeams   string // and of t
	lazily      string // a statement by which the transaction's commit waits for no disk
	bind        int
	schema      *strings.Replacer
}

var (
	postgres = dialect{ //nolint:gochecknoglobals // constant data
		name:     "postgres",
		nextSeq:  "SELECT nextval('commit_seq'), (extract(epoch from clock_timestamp()) * 1000000)::bigint",
		stamp:    "SELECT last_value FROM commit_seq",
		now:      "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
		bytewise: ` COLLATE "C"`,
		timeText: `(to_char(to_timestamp({at} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"t"HH24:MI:SS')
			|| rtrim(rtrim('.' || lpad(({at} % 1000000)::text, 6, '0'), '0'), '.') || 'z') COLLATE "C"`,
		reason:      `(a.drift::jsonb->>'Reason') COLLATE "C"`,
		lock:        " FOR UPDATE",
		lockMembers: " FOR UPDATE OF m",
		lockTeams:   " FOR UPDATE OF t",
		lazily:      "SET LOCAL synchronous_commit = off",
		bind:        sqlx.DOLLAR,
		schema: strings.NewReplacer("{text}", `TEXT COLLATE "C"`, "{bytes}", "BYTEA", "{json}", "JSONB", "{unlogged}", "UNLOGGED",
			"{xid}", "(pg_current_xact_id()::text)::bigint",
			"{now}", "(extract(epoch from clock_timestamp()) * 1000000)::bigint", "{sequence}", "CREATE SEQUENCE commit_seq;"),
	}
	sqliteDialect = dialect{ //nolint:gochecknoglobals // constant data
		name:    "sqlite",
		nextSeq: "UPDATE commit_seq SET n = n + 1 RETURNING n, CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		stamp:   "SELECT n FROM commit_seq",
		now:     "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		timeText: `(strftime('%Y-%m-%dt%H:%M:%S', {at} / 1000000, 'unixepoch')
			|| rtrim(rtrim(printf('.%06d', {at} % 1000000), '0'), '.') || 'z')`,
		reason: "json_extract(a.drift, '$.Reason')",
		bind:   sqlx.QUESTION,
		schema: strings.NewReplacer("{text}", "TEXT", "{bytes}", "BLOB", "{json}", "TEXT", "{unlogged}", "", "{xid}", "0",
			"{now}", "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
			"{sequence}", "CREATE TABLE commit_seq (n BIGINT NOT NULL);\nINSERT INTO commit_seq (n) VALUES (1);"),
	}
)

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
