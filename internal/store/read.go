package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

func in(query string, args ...any) (string, []any, error) {
	query, flat, err := sqlx.In(query, args...)
	if err != nil {
		return "", nil, fmt.Errorf("expand a list: %w", err)
	}
	return query, flat, nil
}

type orgRow struct {
	ID        string `db:"id"`
	Name      string `db:"name"`
	SCIM      bool   `db:"scim"`
	CreatedAt int64  `db:"created_at"`
}

func (r *orgRow) organisation() roster.Organisation {
	return roster.Organisation{ID: r.ID, Name: r.Name, SCIM: r.SCIM, CreatedAt: fromMicros(r.CreatedAt)}
}

// Organisations lists all organisations by name.
func (db *DB) Organisations(ctx context.Context) ([]roster.Organisation, error) {
	var rows []orgRow
	if err := db.read.SelectContext(ctx, &rows, `SELECT id, name, scim, created_at FROM organisations ORDER BY name_key`); err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	out := make([]roster.Organisation, len(rows))
	for i := range rows {
		out[i] = rows[i].organisation()
	}
	return out, nil
}

// Organisation finds an organisation by id or name; a NotFound error says that there is none.
func (db *DB) Organisation(ctx context.Context, key string) (roster.Organisation, error) {
	var rows []orgRow
	query := `SELECT id, name, scim, created_at FROM organisations WHERE id = ? OR name_key = ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), key, roster.Fold(key)); err != nil {
		return roster.Organisation{}, fmt.Errorf("read organisation %q: %w", key, err)
	}
	if len(rows) == 0 {
		return roster.Organisation{}, roster.Errorf(roster.NotFound, "no organisation %q", key)
	}
	return rows[0].organisation(), nil
}

func (db *DB) connections(ctx context.Context, q queryer, org string) ([]roster.Connection, error) {
	var rows []connectionRow
	query := `SELECT ` + connectionColumns + ` FROM connections WHERE org_id = ? ORDER BY name`
	if err := q.SelectContext(ctx, &rows, db.bind(query), org); err != nil {
		return nil, fmt.Errorf("read connections: %w", err)
	}
	return connectionsOf(rows)
}

// Connections lists an organisation's connections by name.
func (db *DB) Connections(ctx context.Context, org string) ([]roster.Connection, error) {
	return db.connections(ctx, db.read, org)
}

// Connection finds a connection by name or id.
func (db *DB) Connection(ctx context.Context, org, key string) (roster.Connection, error) {
	all, err := db.Connections(ctx, org)
	if err != nil {
		return roster.Connection{}, err
	}
	var names []string
	for i := range all {
		if all[i].Name == key || all[i].ID == key {
			return all[i], nil
		}
		names = append(names, all[i].Name)
	}
	return roster.Connection{}, roster.Errorf(roster.NotFound, "no connection %q; there are: %s", key, strings.Join(names, ", "))
}

func (db *DB) tokens(ctx context.Context, q queryer, org string) ([]roster.Token, error) {
	var rows []tokenRow
	if err := q.SelectContext(ctx, &rows, db.bind(tokenSelect+`WHERE t.org_id = ? ORDER BY t.id`), org); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return tokensOf(rows), nil
}

// Tokens lists an organisation's tokens.
func (db *DB) Tokens(ctx context.Context, org string) ([]roster.Token, error) {
	return db.tokens(ctx, db.read, org)
}

// TokenByID finds a token and its organisation.
func (db *DB) TokenByID(ctx context.Context, id string) (roster.Token, roster.Organisation, error) {
	var rows []tokenRow
	if err := db.read.SelectContext(ctx, &rows, db.bind(tokenSelect+`WHERE t.id = ?`), id); err != nil {
		return roster.Token{}, roster.Organisation{}, fmt.Errorf("read a token: %w", err)
	}
	if len(rows) == 0 {
		return roster.Token{}, roster.Organisation{}, roster.Errorf(roster.NotFound, "no such token")
	}
	org, err := db.Organisation(ctx, rows[0].OrgID)
	return rows[0].token(), org, err
}

// TokensUsed notes when tokens were last used; it is called now and then, not by each request.
func (db *DB) TokensUsed(ctx context.Context, used map[string]int64) error {
	for id, at := range used {
		if err := db.exec(ctx, `UPDATE tokens SET last_used_at = ? WHERE id = ? AND last_used_at < ?`, at, id, at); err != nil {
			return fmt.Errorf("note when a token was used: %w", err)
		}
	}
	return nil
}

func (db *DB) apiKeys(ctx context.Context, q queryer, org string) ([]roster.APIKey, error) {
	var rows []apiKeyRow
	if err := q.SelectContext(ctx, &rows, db.bind(`SELECT `+apiKeyColumns+` FROM api_keys WHERE org_id = ? ORDER BY id`), org); err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	return keysOf(rows), nil
}

// APIKeys lists an organisation's API keys.
func (db *DB) APIKeys(ctx context.Context, org string) ([]roster.APIKey, error) {
	return db.apiKeys(ctx, db.read, org)
}

// APIKeyByID finds an API key.
func (db *DB) APIKeyByID(ctx context.Context, id string) (roster.APIKey, error) {
	var rows []apiKeyRow
	if err := db.read.SelectContext(ctx, &rows, db.bind(`SELECT `+apiKeyColumns+` FROM api_keys WHERE id = ?`), id); err != nil {
		return roster.APIKey{}, fmt.Errorf("read an API key: %w", err)
	}
	if len(rows) == 0 {
		return roster.APIKey{}, roster.Errorf(roster.NotFound, "no such API key")
	}
	return rows[0].key(), nil
}

// View is what a SCIM token may see: what its connection owns or is linked to, and what is unclaimed; with no connection,
// every scim object. Deleted objects are never seen.
type View struct {
	Org        string
	Connection string
}

func (v View) members() (string, []any) {
	seen, args := v.seen("m")
	return `m.org_id = ? AND m.source = 'scim' AND m.status <> 'deleted'` + seen, append([]any{v.Org}, args...)
}

// seen is the condition, for a table alias of members, that the view's connection sees them; empty: it has none.
func (v View) seen(alias string) (string, []any) {
	if v.Connection == "" {
		return "", nil
	}
	return ` AND (` + alias + `.connection_id IN ('', ?) OR EXISTS (SELECT 1 FROM links l WHERE l.org_id = ` + alias + `.org_id
		AND l.connection_id = ? AND l.type = 'member' AND l.target_id = ` + alias + `.id))`, []any{v.Connection, v.Connection}
}

func (v View) teams() (string, []any) { return v.teamsAs("t") }

// teamsAs is the condition that the view sees a team, for an alias of the table.
func (v View) teamsAs(alias string) (string, []any) {
	where := alias + `.org_id = ? AND ` + alias + `.source = 'scim' AND ` + alias + `.status = 'active'`
	args := []any{v.Org}
	if v.Connection != "" {
		where += ` AND (` + alias + `.connection_id IN ('', ?) OR EXISTS (SELECT 1 FROM links l WHERE l.org_id = ` + alias + `.org_id
			AND l.connection_id = ? AND l.type = 'team' AND l.target_id = ` + alias + `.id))`
		args = append(args, v.Connection, v.Connection)
	}
	return where, args
}

// Ref names a team or member beside its id.
type Ref struct {
	Of    string `db:"of_id"`
	ID    string `db:"id"`
	Name  string `db:"name"`
	Group bool   `db:"-"` // in a list of members: it is a group
}

// TeamsOf returns the active teams in which members count, for members that are pending or active.
func (db *DB) TeamsOf(ctx context.Context, v View, members []string) (map[string][]Ref, error) {
	out := map[string][]Ref{}
	where, args := v.teams()
	for _, chunk := range chunks(members) {
		var rows []Ref
		query := `SELECT ms.member_id AS of_id, t.id, t.display_name AS name FROM memberships ms
			JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id AND m.status IN ('pending', 'active')
			JOIN teams t ON t.org_id = ms.org_id AND t.id = ms.team_id
			WHERE ms.org_id = ? AND ms.member_id IN (?) AND ms.present = TRUE AND ` + where + ` ORDER BY t.display_key, t.id`
		if err := db.selectIn(ctx, db.read, &rows, query, append([]any{v.Org, chunk}, args...)...); err != nil {
			return nil, fmt.Errorf("read the teams of members: %w", err)
		}
		for _, r := range rows {
			out[r.Of] = append(out[r.Of], r)
		}
	}
	return out, nil
}

// List says which part of a list is wanted.
type List struct {
	Limit      int
	After      string // a cursor from the page before
	Search     string
	Status     string
	Connection string // id
	Team       string // id; PendingReferences alone
}

func (l List) limit() int {
	if l.Limit <= 0 || l.Limit > 1000 {
		return 1000
	}
	return l.Limit
}

func cursorOf(key, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key + "\x00" + id))
}

func cursorKeys(cursor string) (key, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", "", roster.Errorf(roster.Invalid, "after: not a cursor that a list gave out")
	}
	key, id, _ = strings.Cut(string(raw), "\x00")
	return key, id, nil
}
