package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type eventRow struct {
	OrgID       string `db:"org_id"`
	ID          string `db:"id"`
	Number      *int64 `db:"number"`
	Seq         int64  `db:"seq"`
	Time        int64  `db:"time"`
	Type        string `db:"type"`
	ActorKind   string `db:"actor_kind"`
	ActorID     string `db:"actor_id"`
	ActorName   string `db:"actor_name"`
	SubjectType string `db:"subject_type"`
	SubjectID   string `db:"subject_id"`
	SubjectName string `db:"subject_name"`
	ObjectID    string `db:"object_id"`
	RunID       string `db:"run_id"`
	RequestID   string `db:"request_id"`
	Before      string `db:"before_doc"`
	After       string `db:"after_doc"`
	Reason      string `db:"reason"`
	Salt        []byte `db:"salt"`
}

const eventColumns = `org_id, id, number, seq, time, type, actor_kind, actor_id, actor_name, subject_type, subject_id, subject_name,
	object_id, run_id, request_id, before_doc, after_doc, reason, salt`

func (r *eventRow) event() roster.Event {
	e := roster.Event{
		ID: r.ID, Org: r.OrgID, Seq: r.Seq, Time: fromMicros(r.Time), Type: r.Type,
		Actor:   roster.Actor{Kind: roster.ActorKind(r.ActorKind), ID: r.ActorID, Name: r.ActorName},
		Subject: roster.Subject{Type: roster.ObjectType(r.SubjectType), ID: r.SubjectID, Name: r.SubjectName, ObjectID: r.ObjectID},
		RunID:   r.RunID, RequestID: r.RequestID, Before: json.RawMessage(r.Before), After: json.RawMessage(r.After), Reason: r.Reason,
		Salt: r.Salt,
	}
	if r.Number != nil {
		e.Number = *r.Number
	}
	return e
}

// Events returns a page of an organisation's change events in the order of their numbers; those not yet numbered come
// last. The cursor is valid as long as events are only added.
func (db *DB) Events(ctx context.Context, org string, l List) ([]roster.Event, string, error) {
	where, args := `org_id = ?`, []any{org}
	if l.Search != "" {
		like := "%" + likeEscape(l.Search) + "%"
		where += ` AND (type LIKE ? ESCAPE '\' OR subject_name LIKE ? ESCAPE '\' OR subject_id = ? OR run_id = ?)`
		args = append(args, like, like, l.Search, l.Search)
	}
	const last = 1 << 62
	if l.After != "" {
		key, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return nil, "", roster.Errorf(roster.Invalid, "after: not a cursor that a list gave out")
		}
		where, args = where+` AND (COALESCE(number, ?), id) > (?, ?)`, append(args, int64(last), n, id)
	}
	var rows []eventRow
	query := `SELECT ` + eventColumns + ` FROM events WHERE ` + where + ` ORDER BY COALESCE(number, ` + strconv.FormatInt(last, 10) + `), id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	out := make([]roster.Event, len(rows))
	for i := range rows {
		out[i] = rows[i].event()
	}
	next := ""
	if len(out) == l.limit() {
		e := &out[len(out)-1]
		n := e.Number
		if n == 0 {
			n = last
		}
		next = cursorOf(strconv.FormatInt(n, 10), e.ID)
	}
	return out, next, nil
}

// NumberEvents numbers and chains committed events, behind the oldest open transaction, so that no reader of the feed
// skips a late commit. Any number of replicas may call it; it returns how many it numbered.
func (db *DB) NumberEvents(ctx context.Context) (int, error) {
	const batch = 500
	var waiting int
	if err := db.read.GetContext(ctx, &waiting, `SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE number IS NULL LIMIT 1) w`); err != nil || waiting == 0 {
		return 0, err
	}
	numbered := 0
	err := db.inTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		var err error
		numbered, err = t.numberEvents(ctx, batch)
		return err
	})
	return numbered, err
}

// eventHead is the last number and the end of the chain of an organisation's events.
type eventHead struct {
	Number int64  `db:"number"`
	Chain  []byte `db:"chain"`
}

func (t *tx) numberEvents(ctx context.Context, batch int) (int, error) {
	horizon := ""
	if t.db.dialect.name == postgres.name {
		var got bool
		if err := t.GetContext(ctx, &got, `SELECT pg_try_advisory_xact_lock(7261348151)`); err != nil || !got {
			return 0, err
		}
		horizon = ` AND xid < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint`
	}
	var rows []eventRow
	query := `SELECT ` + eventColumns + ` FROM events WHERE number IS NULL` + horizon + ` ORDER BY seq, id LIMIT ?`
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), batch); err != nil {
		return 0, fmt.Errorf("read events to number: %w", err)
	}
	heads := map[string]*eventHead{}
	for i := range rows {
		h, err := t.eventHead(ctx, heads, rows[i].OrgID)
		if err != nil {
			return 0, err
		}
		digest := eventDigest(&rows[i])
		sum := sha256.Sum256(append(append([]byte{}, h.Chain...), digest...))
		h.Number, h.Chain = h.Number+1, sum[:]
		err = t.exec(ctx, "number an event", `UPDATE events SET number = ?, digest = ?, chain = ? WHERE org_id = ? AND id = ?`,
			h.Number, digest, h.Chain, rows[i].OrgID, rows[i].ID)
		if err != nil {
			return 0, err
		}
	}
	for org, h := range heads {
		err := t.exec(ctx, "write the head of the event chain", `INSERT INTO event_heads (org_id, number, chain) VALUES (?, ?, ?)
			ON CONFLICT (org_id) DO UPDATE SET number = excluded.number, chain = excluded.chain`, org, h.Number, h.Chain)
		if err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

func (t *tx) eventHead(ctx context.Context, heads map[string]*eventHead, org string) (*eventHead, error) {
	if h := heads[org]; h != nil {
		return h, nil
	}
	var found []eventHead
	if err := t.SelectContext(ctx, &found, t.db.bind(`SELECT number, chain FROM event_heads WHERE org_id = ?`), org); err != nil {
		return nil, fmt.Errorf("read the head of the event chain: %w", err)
	}
	h := &eventHead{}
	if len(found) > 0 {
		*h = found[0]
	}
	heads[org] = h
	return h, nil
}

// eventDigest digests an event with its salt: erasing a person's values later leaves the chain verifiable.
func eventDigest(r *eventRow) []byte {
	values := sha256.Sum256([]byte(string(r.Salt) + r.Before + "\x00" + r.After + "\x00" + r.SubjectName))
	sum := sha256.Sum256([]byte(r.OrgID + "\x00" + r.ID + "\x00" + strconv.FormatInt(r.Time, 10) + "\x00" + r.Type + "\x00" +
		r.ActorKind + r.ActorID + "\x00" + r.SubjectType + r.SubjectID + "\x00" + r.Reason + "\x00" + string(values[:])))
	return sum[:]
}

// PushedOff counts, by the connection that owns them, the members whom pushes alone have deactivated or deleted since a
// time.
func (db *DB) PushedOff(ctx context.Context, org string, since time.Time) (map[string]int, error) {
	var rows []struct {
		Connection string `db:"connection_id"`
		N          int    `db:"n"`
	}
	// Ids of events begin with their time, so the primary key finds the recent ones.
	first := fmt.Sprintf("%012x", since.UnixMilli())
	query := `SELECT m.connection_id, COUNT(DISTINCT m.id) AS n FROM events e
		JOIN members m ON m.org_id = e.org_id AND m.id = e.subject_id
		WHERE e.org_id = ? AND e.id > ? AND e.actor_kind = 'token' AND e.type IN ('member.deactivated', 'member.deleted')
		AND m.connection_id <> '' GROUP BY m.connection_id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, first[:8]+"-"+first[8:]); err != nil {
		return nil, fmt.Errorf("count what pushes took away: %w", err)
	}
	out := map[string]int{}
	for _, r := range rows {
		out[r.Connection] = r.N
	}
	return out, nil
}
