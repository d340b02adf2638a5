package store

import (
	"context"
	"fmt"
	"net/netip"
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
	Quirk        string `db:"quirk"`
}

const requestColumns = `org_id, id, time, method, path, status, token_id, token_name, client, user_agent, request_body,
	response_body, duration, detail, repeats, repeat_key, quirk`

func requestValues(org string, r *roster.Request, repeatKey string) []any {
	return []any{
		org, r.ID, toMicros(r.Time), r.Method, r.Path, r.Status, r.TokenID, r.TokenName, r.Client, r.UserAgent, r.RequestBody,
		r.ResponseBody, int64(r.Duration / time.Microsecond), r.Detail, r.Repeats, repeatKey, r.Quirk,
	}
}

func (r *requestRow) request() roster.Request {
	return roster.Request{
		ID: r.ID, Org: r.OrgID, Time: fromMicros(r.Time), Method: r.Method, Path: r.Path, Status: r.Status, TokenID: r.TokenID,
		TokenName: r.TokenName, Client: r.Client, UserAgent: r.UserAgent, RequestBody: r.RequestBody, ResponseBody: r.ResponseBody,
		Duration: time.Duration(r.Duration) * time.Microsecond, Detail: r.Detail, Repeats: r.Repeats, Quirk: r.Quirk,
	}
}

// LogRow is a row of the request log to write. Rows with the same RepeatKey are counted in one.
type LogRow struct {
	roster.Request

	RepeatKey string
}

// LogRequest writes one row of the request log on its own: a request that failed. With a repeatKey, a row with the same
// key is counted up instead.
func (db *DB) LogRequest(ctx context.Context, r *roster.Request, repeatKey string) error {
	query, args := requestInsert(&LogRow{*r, repeatKey})
	if err := db.exec(ctx, query, args...); err != nil {
		return fmt.Errorf("write the request log: %w", err)
	}
	return nil
}

// LogRequests writes rows of the request log, of any organisations, in one transaction. Those without a RepeatKey may be
// written again: after a failure nobody knows whether they were.
func (db *DB) LogRequests(ctx context.Context, rows []LogRow) error {
	var plain [][]any
	var repeated []*LogRow
	for i := range rows {
		if r := &rows[i]; r.RepeatKey == "" {
			plain = append(plain, requestValues(r.Org, &r.Request, ""))
		} else {
			repeated = append(repeated, r)
		}
	}
	err := db.inTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		for _, r := range repeated {
			query, args := requestInsert(r)
			if err := t.exec(ctx, "count a refusal", query, args...); err != nil {
				return err
			}
		}
		return t.upsert(ctx, table{name: "requests", columns: requestColumns, key: "org_id, id"}, plain)
	})
	if err != nil {
		return fmt.Errorf("write the request log: %w", err)
	}
	return nil
}

func requestInsert(r *LogRow) (string, []any) {
	query := `INSERT INTO requests (` + requestColumns + `) VALUES (?` + strings.Repeat(", ?", strings.Count(requestColumns, ",")) + `)`
	if r.RepeatKey != "" {
		query += ` ON CONFLICT (org_id, repeat_key) WHERE repeat_key <> '' DO UPDATE SET repeats = requests.repeats + excluded.repeats,
			time = excluded.time, method = excluded.method, path = excluded.path, client = excluded.client,
			user_agent = excluded.user_agent, detail = excluded.detail`
	}
	return query, requestValues(r.Org, &r.Request, r.RepeatKey)
}

// RequestFilter narrows a list of the request log. Its zero value lets everything pass.
type RequestFilter struct {
	Low, High int    // the least and the greatest HTTP status; 0 and 0: any
	Token     string // name or id
	Method    string
	Path      string // what the path begins with, behind the address of the service or with it
	Quirk     string // a part of it
	Since     time.Time
	Bases     []string // the addresses of the service that a path may begin with
}

func (f *RequestFilter) where(org string) (string, []any) {
	where, args := `org_id = ?`, []any{org}
	and := func(condition string, more ...any) {
		where, args = where+" AND "+condition, append(args, more...)
	}
	if f.Low != 0 || f.High != 0 {
		and(`status BETWEEN ? AND ?`, f.Low, f.High)
	}
	if f.Token != "" {
		and(`(token_name = ? OR token_id = ?)`, f.Token, f.Token)
	}
	if f.Method != "" {
		and(`method = ?`, strings.ToUpper(f.Method))
	}
	if f.Path != "" {
		paths := []any{likeEscape(f.Path) + "%"}
		for _, base := range f.Bases {
			paths = append(paths, likeEscape(base+f.Path)+"%")
		}
		and(`(path LIKE ? ESCAPE '\'`+strings.Repeat(` OR path LIKE ? ESCAPE '\'`, len(paths)-1)+`)`, paths...)
	}
	if f.Quirk != "" {
		and(`quirk LIKE ? ESCAPE '\'`, "%"+likeEscape(f.Quirk)+"%")
	}
	if !f.Since.IsZero() {
		// Ids begin with their time, so the primary key finds the recent ones. A row of refusals has the id of the first of
		// its day.
		and(`id > ? AND time >= ?`, idsFrom(f.Since.Add(-24*time.Hour)), toMicros(f.Since))
	}
	return where, args
}

// idsFrom is what the ids made at or after a time are greater than.
func idsFrom(t time.Time) string {
	first := fmt.Sprintf("%012x", max(0, t.UnixMilli()))
	return first[:8] + "-" + first[8:]
}

// Requests returns a page of an organisation's request log, the oldest first. The list's own Status is not looked at.
func (db *DB) Requests(ctx context.Context, org string, f RequestFilter, l List) ([]roster.Request, string, error) {
	where, args := f.where(org)
	if l.Search != "" {
		like := "%" + likeEscape(l.Search) + "%"
		where += ` AND (path LIKE ? ESCAPE '\' OR request_body LIKE ? ESCAPE '\' OR token_name LIKE ? ESCAPE '\'
			OR detail LIKE ? ESCAPE '\' OR client LIKE ? ESCAPE '\' OR id = ?)`
		args = append(args, like, like, like, like, like, l.Search)
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

// sourcesText is how a token's ranges of addresses are stored.
func sourcesText(sources []netip.Prefix) string {
	texts := make([]string, len(sources))
	for i, p := range sources {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",")
}

// sourcesOf reads what sourcesText wrote. A range that can't be read lets nobody in, rather than everybody.
func sourcesOf(text string) []netip.Prefix {
	if text == "" {
		return nil
	}
	var out []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		p, _ := netip.ParsePrefix(part) // the zero Prefix contains no address
		out = append(out, p)
	}
	return out
}
