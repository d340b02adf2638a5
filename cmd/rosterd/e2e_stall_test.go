package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jmoiron/sqlx"
)

// point is a place in a transaction of the daemon: right after it wrote a row of a table for which a condition holds.
type point struct {
	table string
	when  string // SQL of the row, NEW, that both databases take
	// atCommit stops where the transaction is committed, and lets it be committed once the daemon is dead: it never learns
	// that it was. Only PostgreSQL can do that.
	atCommit bool
}

// stall is a point at which the daemon stays. Nothing in the daemon knows of it: a trigger of the test's own stops the
// statement, on PostgreSQL by a lock that the test holds, on SQLite by work without an end, before which it puts so much
// into the write-ahead log that part of the transaction is in the file when the daemon is killed.
type stall struct {
	m    *machine
	db   *sqlx.DB
	held *sqlx.Conn // PostgreSQL: has the lock
}

const (
	stallLock = 4711
	stallSize = 24 << 20 // of what SQLite has written when it stays there; its log is a few MB otherwise
)

// arm has the daemon stay at a point as soon as it comes there.
func (m *machine) arm(at point) *stall {
	m.t.Helper()
	s := &stall{m: m, db: m.beside()}
	if m.db.Kind == "sqlite" {
		s.run(`CREATE TABLE stalled (x)`,
			`CREATE VIEW stall_forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`)
		for _, event := range []string{"INSERT", "UPDATE"} {
			s.run(fmt.Sprintf(`CREATE TRIGGER stall_%s AFTER %s ON %s WHEN %s BEGIN
				INSERT INTO stalled VALUES (zeroblob(%d));
				INSERT INTO stalled SELECT i FROM stall_forever WHERE i < 0;
			END`, event, event, at.table, at.when, stallSize))
		}
		return s
	}
	var err error
	if s.held, err = s.db.Connx(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	if _, err := s.held.ExecContext(m.t.Context(), fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, stallLock)); err != nil {
		m.t.Fatal(err)
	}
	trigger := `CREATE TRIGGER stall AFTER INSERT OR UPDATE ON `
	if at.atCommit {
		trigger = `CREATE CONSTRAINT TRIGGER stall AFTER INSERT OR UPDATE ON `
	}
	trigger += at.table
	if at.atCommit {
		trigger += ` DEFERRABLE INITIALLY DEFERRED`
	}
	s.run(fmt.Sprintf(`CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF %s THEN PERFORM pg_advisory_xact_lock(%d); END IF;
			RETURN NULL;
		END $$`, at.when, stallLock), trigger+` FOR EACH ROW EXECUTE FUNCTION stall()`)
	return s
}

// beside opens the machine's database for the test itself.
func (m *machine) beside() *sqlx.DB {
	m.t.Helper()
	driver, source := "postgres", m.db.URL
	if m.db.Kind == "sqlite" {
		driver, source = "sqlite", "file:"+filepath.Join(m.db.Dir, "data", "rosterd.db")+"?_pragma=busy_timeout(15000)"
	}
	db, err := sqlx.Open(driver, source)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (s *stall) run(statements ...string) {
	s.m.t.Helper()
	for _, q := range statements {
		if _, err := s.db.ExecContext(context.Background(), q); err != nil {
			s.m.t.Fatalf("%v\n%s", err, q)
		}
	}
}

// reached waits until the daemon is at the point.
func (s *stall) reached() {
	s.m.t.Helper()
	s.m.until("the daemon is at the point where it is to be killed", func() bool {
		if s.m.ended() {
			s.m.t.Fatal("the daemon ended by itself")
		}
		if s.held == nil {
			wal, err := os.Stat(filepath.Join(s.m.db.Dir, "data", "rosterd.db-wal"))
			return err == nil && wal.Size() > stallSize/2
		}
		var n int
		s.m.ok(s.held.GetContext(s.m.t.Context(), &n, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, stallLock))
		return n > 0
	})
}

// disarm takes away what arm made, once the daemon is dead, and brings the expiry of its leases forward.
func (s *stall) disarm() {
	s.m.t.Helper()
	if s.held != nil {
		_, err := s.held.ExecContext(s.m.t.Context(), fmt.Sprintf(`SELECT pg_advisory_unlock(%d)`, stallLock))
		s.m.ok(err, s.held.Close())
		// Whoever waited for the lock goes on to the end of its statement and finds that nobody is there any more; dropping
		// waits for that.
		s.run(`DROP FUNCTION stall() CASCADE`, `UPDATE runs SET lease_until = 1 WHERE state = 'running'`)
	} else {
		var sound string
		s.m.ok(s.db.Get(&sound, `PRAGMA integrity_check`))
		if sound != "ok" {
			s.m.t.Errorf("the database is damaged: %s", sound)
		}
		s.run(`DROP TRIGGER stall_INSERT`, `DROP TRIGGER stall_UPDATE`, `DROP VIEW stall_forever`, `DROP TABLE stalled`)
	}
	s.m.ok(s.db.Close())
}
