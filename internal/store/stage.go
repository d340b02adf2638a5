package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

// Stage is the scratch space of one run: what the IdP said, page by page, beside what is stored. On PostgreSQL it is
// unlogged tables; on SQLite a file of its own, with the main database attached for reading, so that pushes never wait
// for a pull.
type Stage struct {
	db   *DB
	run  *roster.Run
	conn *sqlx.DB
	file string
}

// The types of the rows of stage_scope, beside member and team: what is in scope by an assignment of its own.
const (
	scopeGranted = "granted" // a member of a group in scope, by what was read in this run
	scopeList    = "list"    // a group whose members were read whole in this run
	scopeOpen    = "open"    // no object: it says that nothing was lost since the stage was opened
)

// OpenStage makes an empty stage for a run.
func (db *DB) OpenStage(ctx context.Context, run *roster.Run) (*Stage, error) {
	s := &Stage{db: db, run: run, conn: db.write}
	if db.dialect.name == postgres.name {
		return s, s.Clear(ctx)
	}
	s.file = filepath.Join(db.scratch, run.ID+".db")
	_ = os.Remove(s.file)
	conn, err := sqlx.Open(sqliteDriver, "file:"+(&url.URL{Path: s.file}).EscapedPath()+
		"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=busy_timeout(15000)&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("open the staging file: %w", err)
	}
	conn.SetMaxOpenConns(1)
	s.conn = conn
	for _, file := range []string{"00002_staging.sql", "00004_staging.sql"} {
		text, err := migrations.ReadFile("migrations/" + file)
		if err != nil {
			return nil, fmt.Errorf("read the staging schema: %w", err)
		}
		if _, err := conn.ExecContext(ctx, db.dialect.schema.Replace(string(text))); err != nil {
			return nil, fmt.Errorf("make the staging tables: %w", err)
		}
	}
	live := "file:" + (&url.URL{Path: db.path}).EscapedPath() + "?mode=ro"
	if _, err := conn.ExecContext(ctx, `ATTACH DATABASE ? AS live`, live); err != nil {
		return nil, fmt.Errorf("attach the database to the staging file: %w", err)
	}
	return s, s.Clear(ctx)
}

// Close drops the stage.
func (s *Stage) Close(ctx context.Context) error {
	if s.file == "" {
		return s.clear(ctx)
	}
	err := s.conn.Close()
	if e := os.Remove(s.file); e != nil && !os.IsNotExist(e) {
		return fmt.Errorf("remove the staging file: %w", e)
	}
	return err
}

// Clear empties the stage, to be filled anew.
func (s *Stage) Clear(ctx context.Context) error {
	if err := s.clear(ctx); err != nil {
		return err
	}
	return s.PutScope(ctx, scopeOpen, []string{""})
}

// clear deletes what was staged under this lease or an earlier one: whoever holds a later one has the rows for their own.
func (s *Stage) clear(ctx context.Context) error {
	for _, t := range []string{"stage_users", "stage_groups", "stage_members", "stage_links", "stage_scope"} {
		query := `DELETE FROM ` + t + ` WHERE run_id = ? AND EXISTS (SELECT 1 FROM runs WHERE id = ? AND fence = ?)`
		if _, err := s.conn.ExecContext(ctx, s.db.bind(query), s.run.ID, s.run.ID, s.run.Fence); err != nil {
			return fmt.Errorf("clear the stage: %w", err)
		}
	}
	return nil
}

// Intact returns an error if what was staged is lost: PostgreSQL empties an unlogged table when it starts after a crash,
// and an empty list says that everybody left.
func (s *Stage) Intact(ctx context.Context) error {
	var n int
	query := `SELECT COUNT(*) FROM stage_scope WHERE run_id = ? AND type = ?`
	if err := s.conn.GetContext(ctx, &n, s.db.bind(query), s.run.ID, scopeOpen); err != nil {
		return fmt.Errorf("look whether the stage is there: %w", err)
	}
	if n == 0 {
		return roster.Errorf(roster.Unavailable, "what was read of the identity provider is lost, as the database started anew: "+
			"nothing more is done, and the next run reads it again")
	}
	return nil
}

// delta reports whether the stage holds only what has changed.
func (s *Stage) delta() bool { return s.run.Mode == roster.ModeDelta }

// put writes a page.
func (s *Stage) put(ctx context.Context, tb table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return s.change(ctx, func(t *tx) error { return t.upsert(ctx, tb, rows) })
}

// change writes in one transaction that, on PostgreSQL, checks the run's fence.
func (s *Stage) change(ctx context.Context, write func(*tx) error) error {
	stx, err := s.conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a change of the stage: %w", err)
	}
	defer func() { _ = stx.Rollback() }()
	t := &tx{querier: stx, db: s.db}
	if s.file == "" {
		if _, err := stx.ExecContext(ctx, s.db.dialect.lazily); err != nil { // it is scratch, and a run has a commit for each page
			return fmt.Errorf("commit lazily: %w", err)
		}
		if err := t.CheckFence(ctx, s.run.Org, s.run.ID, s.run.Fence); err != nil {
			return err
		}
	}
	if err := write(t); err != nil {
		return err
	}
	if err := stx.Commit(); err != nil {
		return fmt.Errorf("commit a change of the stage: %w", err)
	}
	return nil
}

// PutMembers lands a page of people. One person may come more than once; the last counts.
func (s *Stage) PutMembers(ctx context.Context, page []roster.WantedMember) error {
	at := map[string]int{}
	var rows [][]any
	for i := range page {
		w := &page[i]
		doc, err := json.Marshal(stagedDoc{w.Values, w.Problem, w.Off, w.Clear, w.OutOfScope})
		if err != nil {
			return fmt.Errorf("encode a person: %w", err)
		}
		row := []any{
			s.run.ID, w.ObjectID, w.UserName(), roster.Fold(w.UserName()), roster.Fold(w.Values[roster.AttrWorkEmail]),
			w.Values[roster.AttrExternalID], w.Enabled, w.Scope, string(doc), stagedPrint(w), w.Stamp, w.Keep, w.Gone,
			w.MemberID,
		}
		if j, ok := at[w.ObjectID]; ok {
			rows[j] = row
			continue
		}
		at[w.ObjectID] = len(rows)
		rows = append(rows, row)
	}
	return s.put(ctx, table{name: "stage_users", columns: `run_id, object_id, user_name, user_name_key, email_key, external_id, enabled,
		scope, mapped, fingerprint, stamp, keep, gone, member_id`, key: "run_id, object_id"}, rows)
}

// PutTeams lands groups.
func (s *Stage) PutTeams(ctx context.Context, page []roster.WantedTeam) error {
	at := map[string]int{}
	var rows [][]any
	for i := range page {
		w := &page[i]
		row := []any{s.run.ID, w.ObjectID, w.DisplayName, roster.Fold(w.DisplayName), w.ExternalID, roster.Fingerprint(w.Values()), w.Stamp}
		if j, ok := at[w.ObjectID]; ok {
			rows[j] = row
			continue
		}
		at[w.ObjectID] = len(rows)
		rows = append(rows, row)
	}
	return s.put(ctx, table{name: "stage_groups", columns: "run_id, object_id, display_name, display_key, external_id, fingerprint, stamp",
		key: "run_id, object_id"}, rows)
}

// PutMemberships lands a page of one group's members, or of those who left it. The last word counts.
func (s *Stage) PutMemberships(ctx context.Context, group string, stamp int64, page []string, left bool) error {
	seen := map[string]bool{}
	var rows [][]any
	for _, id := range page {
		if !seen[id] {
			seen[id] = true
			rows = append(rows, []any{s.run.ID, group, id, stamp, left})
		}
	}
	return s.put(ctx, table{name: "stage_members", columns: "run_id, group_id, object_id, stamp, gone", key: "run_id, group_id, object_id"}, rows)
}

// PutLinks notes the links that the plan makes or moves; from here on the stage's questions see them.
func (s *Stage) PutLinks(ctx context.Context, links []PlannedLink) error {
	var rows [][]any
	for i := range links {
		doc, err := json.Marshal(links[i])
		if err != nil {
			return fmt.Errorf("encode a link: %w", err)
		}
		l := &links[i].Link
		rows = append(rows, []any{s.run.ID, string(l.Type), l.ObjectID, l.TargetID, string(doc)})
	}
	return s.put(ctx, table{name: "stage_links", columns: "run_id, type, object_id, target_id, doc", key: "run_id, type, object_id"}, rows)
}

// PlannedLink is a link that a plan makes, moves or refreshes.
type PlannedLink struct {
	Link   roster.Link
	Change string // "made", "moved", "adopted", "seen"
	Reason string
	Claim  bool  // the target is unclaimed, and becomes the connection's
	Pass   bool  // the member passes on to another connection that has them in scope
	Store  bool  // the link is to be written; false: only Pass
	AsOf   int64 // the target's, for Pass
}

// Links returns a page of the planned links after a key, in order of type and object id.
func (s *Stage) Links(ctx context.Context, afterType, after string, limit int) ([]PlannedLink, error) {
	var docs []string
	query := `SELECT doc FROM stage_links WHERE run_id = ? AND (type, object_id) > (?, ?) ORDER BY type, object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &docs, s.db.bind(query), s.run.ID, afterType, after, limit); err != nil {
		return nil, fmt.Errorf("read the planned links: %w", err)
	}
	out := make([]PlannedLink, len(docs))
	for i, d := range docs {
		if err := json.Unmarshal([]byte(d), &out[i]); err != nil {
			return nil, fmt.Errorf("read a planned link: %w", err)
		}
	}
	return out, nil
}

// Analyze lets PostgreSQL see what has landed: without figures it walks a fresh table once for each row of another.
func (s *Stage) Analyze(ctx context.Context) error {
	if s.db.dialect.name != postgres.name {
		return nil
	}
	query := `ANALYZE stage_users, stage_groups, stage_members, stage_links, stage_scope, members, teams, memberships, links`
	if _, err := s.conn.ExecContext(ctx, query); err != nil {
		return fmt.Errorf("analyze the stage: %w", err)
	}
	return nil
}
