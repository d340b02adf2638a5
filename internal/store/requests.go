package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type requestRow struct {
	OrgID        string `db:"org_id"`
	ID           string `db:"id"`
	Time         int64  `db:"time"`
	Method       string `db:"method"`
	Path         string `db:"path"`
	Status       int    `db:"status"`
	TokenID      string `db:"token_id"`
	TokenName    string `db:"token_name"`
	Client       string `db:"client"`
	UserAgent    string `db:"user_agent"`
	RequestBody  string `db:"request_body"`
	ResponseBody string `db:"response_body"`
	Duration     int64  `db:"duration"`
	Detail       string `db:"detail"`
	Repeats      int    `db:"repeats"`
	RepeatKey    string `db:"repeat_key"`
}

// LogRequest writes one row of the request log on its own: a request that failed. With a repeatKey, a row with the same
// key is counted up instead.
func (db *DB) LogRequest(ctx context.Context, r *roster.Request, repeatKey string) error {
	query := `INSERT INTO requests (` + requestColumns + `) VALUES (?` + strings.Repeat(", ?", strings.Count(requestColumns, ",")) + `)`
	if repeatKey != "" {
		query += ` ON CONFLICT (org_id, repeat_key) WHERE repeat_key <> '' DO UPDATE SET repeats = requests.repeats + 1,
			time = excluded.time, method = excluded.method, path = excluded.path, client = excluded.client, user_agent = excluded.user_agent`
	}
	if err := db.exec(ctx, query, requestValues(r.Org, r, repeatKey)...); err != nil {
		return fmt.Errorf("write the request log: %w", err)
	}
	return nil
}

// Requests returns a page of an organisation's request log, the oldest first: what was answered with an HTTP status from
// low to high. The list's own Status is not looked at.
func (db *DB) Requests(ctx context.Context, org string, low, high int, l List) ([]roster.Request, string, error) {
	where, args := `org_id = ? AND status BETWEEN ? AND ?`, []any{org, low, high}
	if l.Search != "" {
		like := "%" + likeEscape(l.Search) + "%"
		where += ` AND (path LIKE ? ESCAPE '\' OR request_body LIKE ? ESCAPE '\' OR token_name LIKE ? ESCAPE '\')`
		args = append(args, like, like, like)
	}
	if l.After != "" {
		_, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+` AND id > ?`, append(args, id)
	}
	var rows []requestRow
	query := `SELECT ` + requestColumns + ` FROM requests WHERE ` + where + ` ORDER BY id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list requests: %w", err)
	}
	out := make([]roster.Request, len(rows))
	for i := range rows {
		out[i] = rows[i].request()
	}
	next := ""
	if len(out) == l.limit() {
		next = cursorOf("", out[len(out)-1].ID)
	}
	return out, next, nil
}

func (r *requestRow) request() roster.Request {
	return roster.Request{
		ID: r.ID, Org: r.OrgID, Time: fromMicros(r.Time), Method: r.Method, Path: r.Path, Status: r.Status, TokenID: r.TokenID,
		TokenName: r.TokenName, Client: r.Client, UserAgent: r.UserAgent, RequestBody: r.RequestBody, ResponseBody: r.ResponseBody,
		Duration: time.Duration(r.Duration) * time.Microsecond, Detail: r.Detail, Repeats: r.Repeats,
	}
}
