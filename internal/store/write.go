package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// table says how a set of rows is written: an upsert by its key.
type table struct {
	name    string
	columns string // comma-separated
	key     string // comma-separated; empty: insert only
	keep    string // columns that an update leaves as they are
	where   string // for a partial unique key
}

// upsert writes rows in as few statements as the parameter limits allow.
func (t *tx) upsert(ctx context.Context, tb table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	columns := tb.names()
	per := max(1, 20000/len(columns))
	for len(rows) > 0 {
		n := min(per, len(rows))
		args := make([]any, 0, n*len(columns))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := t.ExecContext(ctx, t.db.bind(tb.statement(columns, n)), args...); err != nil {
			return fmt.Errorf("write %s: %w", tb.name, err)
		}
		rows = rows[n:]
	}
	return nil
}

func (tb *table) names() []string {
	return strings.FieldsFunc(tb.columns, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// statement writes so many rows.
func (tb *table) statement(columns []string, rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	var q strings.Builder
	q.WriteString("INSERT INTO " + tb.name + " (" + strings.Join(columns, ", ") + ") VALUES ")
	q.WriteString(strings.TrimSuffix(strings.Repeat(one+",", rows), ","))
	if tb.key != "" {
		set := "DO NOTHING"
		if u := updates(columns, *tb); u != "" {
			set = "DO UPDATE SET " + u
		}
		q.WriteString(" ON CONFLICT (" + tb.key + ") " + tb.where + " " + set)
	}
	return q.String()
}

func updates(columns []string, tb table) string {
	fixed := map[string]bool{}
	for _, c := range strings.Split(tb.key+","+tb.keep, ",") {
		fixed[strings.TrimSpace(c)] = true
	}
	var sets []string
	for _, c := range columns {
		if !fixed[c] {
			sets = append(sets, c+" = excluded."+c)
		}
	}
	return strings.Join(sets, ", ")
}

// Write writes everything that one batch changed. Unique keys are released for the whole batch before new ones are set.
func (t *tx) Write(ctx context.Context, org string, rows *roster.Rows) error {
	steps := []func(context.Context, string, *roster.Rows) error{
		t.writeOrganisations, t.releaseKeys, t.writeMembers, t.writeTeams, t.writeMemberships, t.writeReferences, t.writeLinks,
		t.writeTokens, t.writeConnections, t.writeRuns, t.writeFinished, t.writeSchedules, t.writeLifelines, t.writeExclusions, t.writeEvents, t.writeRequests,
	}
	for _, step := range steps {
		if err := step(ctx, org, rows); err != nil {
			return err
		}
	}
	return t.sendJoined(ctx)
}

func (t *tx) writeOrganisations(ctx context.Context, _ string, rows *roster.Rows) error {
	var out [][]any
	for _, o := range rows.Organisations {
		out = append(out, []any{o.ID, o.Name, roster.Fold(o.Name), o.SCIM, toMicros(o.CreatedAt)})
	}
	return t.upsert(ctx, table{name: "organisations", columns: "id, name, name_key, scim, created_at", key: "id", keep: "created_at"}, out)
}

func (t *tx) releaseKeys(ctx context.Context, org string, rows *roster.Rows) error {
	var members, teams []string
	for _, m := range rows.Members {
		if m.Rekeyed {
			members = append(members, m.ID)
		}
	}
	for _, m := range rows.Teams {
		if m.Rekeyed {
			teams = append(teams, m.ID)
		}
	}
	release := func(query string, ids []string) error {
		for _, chunk := range chunks(ids) {
			q, args, err := in(query, org, chunk)
			if err != nil {
				return err
			}
			if err := t.exec(ctx, "release unique keys", q, args...); err != nil {
				return err
			}
		}
		return nil
	}
	if err := release(`UPDATE members SET user_name_key = '~' || id WHERE org_id = ? AND id IN (?)`, members); err != nil {
		return err
	}
	return release(`UPDATE teams SET external_id = '~' || id WHERE org_id = ? AND id IN (?)`, teams)
}

func (t *tx) writeMembers(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for i := range rows.Members {
		m := &rows.Members[i].Member
		doc, err := json.Marshal(m.Attributes)
		if err != nil {
			return fmt.Errorf("encode the attributes of member %s: %w", m.ID, err)
		}
		search, err := m.Attributes.SearchDocument()
		if err != nil {
			return fmt.Errorf("member %s: %w", m.ID, err)
		}
		display, email := m.DisplayName(), m.Email()
		emailKey, email2Key, moreEmails := m.Attributes.EmailKeys()
		out = append(out, []any{
			org, m.ID, m.UserName(), roster.Fold(m.UserName()), m.ExternalID(), display, roster.Fold(display),
			roster.Fold(m.Attributes.Get(roster.AttrGivenName)), roster.Fold(m.Attributes.Get(roster.AttrFamilyName)), email, emailKey, string(doc),
			string(m.Status), string(m.Prior), string(m.OffBy), string(m.Source), string(m.Role), m.Connection, string(m.UserNameBy),
			string(m.ExternalIDBy), m.Version, m.Seq, m.PushedSeq, toMicros(m.PushedAt), toMicros(m.CreatedAt), toMicros(m.UpdatedAt),
			string(search), email2Key, moreEmails,
		})
	}
	err := t.upsertJoined(ctx, table{name: "members", columns: `org_id, id, user_name, user_name_key, external_id, display_name, display_key,
		given_key, family_key, email, email_key, attributes, status, prior_status, off_by, source, role, connection_id, user_name_by,
		external_id_by, version, seq, pushed_seq, pushed_at, created_at, updated_at, search, email2_key, more_emails`,
		key: "org_id, id", keep: "created_at"}, out)
	if err != nil {
		return err
	}
	for _, touch := range rows.Touched {
		table := "members"
		if touch.Type == roster.TypeTeam {
			table = "teams"
		}
		err := t.exec(ctx, "note a push", `UPDATE `+table+` SET pushed_seq = ?, pushed_at = ? WHERE org_id = ? AND id = ?`,
			touch.PushedSeq, toMicros(touch.PushedAt), org, touch.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) writeTeams(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for i := range rows.Teams {
		m := &rows.Teams[i].Team
		out = append(out, []any{
			org, m.ID, m.DisplayName, roster.Fold(m.DisplayName), m.ExternalID, string(m.Status), string(m.Source), m.Connection,
			string(m.ExternalIDBy), m.Version, m.Seq, m.PushedSeq, toMicros(m.PushedAt), toMicros(m.CreatedAt), toMicros(m.UpdatedAt),
			m.Listings, m.ListedSeq, m.Pending, m.Nested,
		})
	}
	return t.upsertJoined(ctx, table{name: "teams", columns: `org_id, id, display_name, display_key, external_id, status, source, connection_id,
		external_id_by, version, seq, pushed_seq, pushed_at, created_at, updated_at, listings, listed_seq, pending, nested`, key: "org_id, id", keep: "created_at"}, out)
}

func (t *tx) writeMemberships(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for _, m := range rows.Memberships {
		out = append(out, []any{org, m.TeamID, m.MemberID, m.Present, m.Version, m.Seq, toMicros(m.PushedAt), toMicros(t.now)})
	}
	return t.upsertJoined(ctx, table{name: "memberships", columns: "org_id, team_id, member_id, present, version, seq, pushed_at, written_at",
		key: "org_id, team_id, member_id"}, out)
}

func (t *tx) writeLinks(ctx context.Context, org string, rows *roster.Rows) error {
	for _, l := range rows.DropLinks {
		err := t.exec(ctx, "drop a link", `DELETE FROM links WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id = ?`,
			org, l.Connection, string(l.Type), l.ObjectID)
		if err != nil {
			return err
		}
	}
	if err := t.writeRefusals(ctx, org, rows); err != nil {
		return err
	}
	var out [][]any
	for _, l := range rows.Links {
		out = append(out, []any{
			org, l.Connection, string(l.Type), l.ObjectID, l.TargetID, string(l.State), l.SeenUserName, l.SeenExternalID, l.Seen,
			l.Here, l.Rule, toMicros(l.CreatedAt),
		})
	}
	return t.upsert(ctx, table{name: "links", columns: `org_id, connection_id, type, object_id, target_id, state, seen_user_name,
		seen_external_id, seen, here, rule, created_at`, key: "org_id, connection_id, type, object_id", keep: "created_at"}, out)
}

func (t *tx) writeTokens(ctx context.Context, org string, rows *roster.Rows) error {
	var out, keys [][]any
	for _, k := range rows.Tokens {
		out = append(out, []any{
			org, k.ID, k.Name, k.Connection, k.Hash, k.Disabled, toMicros(k.ExpiresAt), toMicros(k.LastUsedAt), toMicros(k.CreatedAt),
			sourcesText(k.Sources), k.Rate, k.Warned,
		})
	}
	err := t.upsert(ctx, table{name: "tokens", columns: `org_id, id, name, connection_id, hash, disabled, expires_at, last_used_at,
		created_at, sources, rate, warned`, key: "id", keep: "org_id, last_used_at, created_at"}, out)
	if err != nil {
		return err
	}
	for _, k := range rows.APIKeys {
		keys = append(keys, []any{org, k.ID, k.Name, string(k.Role), k.Hash, toMicros(k.ExpiresAt), toMicros(k.CreatedAt)})
	}
	if err := t.upsert(ctx, table{name: "api_keys", columns: apiKeyColumns}, keys); err != nil {
		return err
	}
	for _, id := range rows.DropTokens {
		if err := t.exec(ctx, "delete a token", `DELETE FROM tokens WHERE org_id = ? AND id = ?`, org, id); err != nil {
			return err
		}
	}
	for _, id := range rows.DropAPIKeys {
		if err := t.exec(ctx, "delete an API key", `DELETE FROM api_keys WHERE org_id = ? AND id = ?`, org, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) writeConnections(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for _, c := range rows.Connections {
		managed, err := json.Marshal(c.Managed)
		if err != nil {
			return fmt.Errorf("encode the managed attributes: %w", err)
		}
		var pause roster.Pause
		if c.Pause != nil {
			pause = *c.Pause
		}
		out = append(out, []any{
			org, c.ID, c.Name, string(c.Kind), string(c.State), c.DetachedReason, c.Target, c.Pinned, c.Settings, c.Settled,
			string(managed), c.AdoptLocal, int64(c.Settle), c.Fence, toMicros(c.CreatedAt), toMicros(c.UpdatedAt),
			toMicros(pause.Since), toMicros(pause.Until), pause.Reason, pause.By,
		})
	}
	return t.upsert(ctx, table{name: "connections", columns: connectionColumns, key: "org_id, id", keep: "created_at, fence"}, out)
}

func (t *tx) writeRuns(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for i := range rows.Runs {
		r := &rows.Runs[i]
		held, err := json.Marshal(r.Held)
		if err != nil {
			return fmt.Errorf("encode what run %s holds: %w", r.ID, err)
		}
		totals, err := json.Marshal(r.Totals)
		if err != nil {
			return fmt.Errorf("encode the totals of run %s: %w", r.ID, err)
		}
		said := ""
		if r.Said != nil {
			doc, err := json.Marshal(r.Said)
			if err != nil {
				return fmt.Errorf("encode what run %s saw: %w", r.ID, err)
			}
			said = string(doc)
		}
		out = append(out, []any{
			org, r.ID, r.Connection, string(r.Mode), string(r.State), r.RequestedBy, r.Complete, string(held), string(totals), r.Error, r.Fault,
			r.Fence, r.LeaseHolder, toMicros(r.LeaseUntil), r.Cancel, r.Approval, r.Approver, r.Pages, r.Objects, r.Expected, r.ExpectedEstimate,
			r.Applied, r.Phase, r.Note, said,
			toMicros(r.CreatedAt), toMicros(r.StartedAt), toMicros(r.FinishedAt),
		})
	}
	err := t.upsert(ctx, table{name: "runs", columns: `org_id, id, connection_id, mode, state, requested_by, complete, held, totals, error, fault,
		fence, lease_holder, lease_until, cancel, approval, approver, pages, objects, expected, expected_estimate, applied, phase, note, said, created_at,
		started_at, finished_at`,
		key: "id", keep: "org_id, created_at, fence, lease_holder, lease_until"}, out)
	if err != nil {
		return err
	}
	for run, actions := range rows.Actions {
		if err := t.writeActions(ctx, run, actions); err != nil {
			return err
		}
	}
	return nil
}

// writeActions notes what became of a run's actions, one statement for all that fared alike.
func (t *tx) writeActions(ctx context.Context, run string, actions []roster.ActionResult) error {
	type fate struct {
		state roster.ActionState
		note  string
	}
	by := map[fate][]int64{}
	for _, a := range actions {
		f := fate{a.State, a.Note}
		by[f] = append(by[f], a.N)
	}
	for f, ns := range by {
		query, args, err := in(`UPDATE run_actions SET state = ?, note = CASE WHEN CAST(? AS TEXT) = '' THEN note ELSE ? END,
			applied_at = ? WHERE run_id = ? AND n IN (?)`, string(f.state), f.note, f.note, toMicros(t.now), run, ns)
		if err != nil {
			return err
		}
		if err := t.exec(ctx, "note what became of an action", query, args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) writeEvents(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for i := range rows.Events {
		e := &rows.Events[i]
		before := "null"
		if e.Before != nil {
			before = string(e.Before)
		}
		out = append(out, []any{
			org, e.ID, e.Seq, toMicros(e.Time), e.Type, string(e.Actor.Kind), e.Actor.ID, e.Actor.Name, string(e.Subject.Type),
			e.Subject.ID, e.Subject.Name, e.Subject.ObjectID, e.RunID, e.RequestID, before, string(e.After), e.Reason, e.Salt,
		})
	}
	return t.upsertJoined(ctx, table{name: "events", columns: `org_id, id, seq, time, type, actor_kind, actor_id, actor_name, subject_type,
		subject_id, subject_name, object_id, run_id, request_id, before_doc, after_doc, reason, salt`}, out)
}

func (t *tx) writeRequests(ctx context.Context, org string, rows *roster.Rows) error {
	var out [][]any
	for i := range rows.Requests {
		out = append(out, requestValues(org, &rows.Requests[i], ""))
	}
	return t.upsertJoined(ctx, table{name: "requests", columns: requestColumns}, out)
}
