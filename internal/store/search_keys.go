package store

import (
	"github.com/rosterd/rosterd/internal/roster"
)

// keys renders, for a filter that only few can match, a subquery for the ids of those few by an index of their own; empty
// where the table's own key serves, or nothing does. What it finds may be too much: the filter is still to be
// checked. It never finds an id twice.
func (r *ScimReader) keys(alias string, f *roster.Filter) (string, []any) {
	terms := conjunction(f, nil)
	for _, t := range terms {
		if t.Op == roster.Eq && t.Prefix == "" && t.Field == roster.FieldID {
			return "", nil
		}
	}
	for _, t := range terms {
		if sql, args := r.keysOf(alias, t); sql != "" {
			return sql, args
		}
	}
	return "", nil
}

// conjunction lists the terms all of which must hold.
func conjunction(f *roster.Filter, out []*roster.Filter) []*roster.Filter {
	if f.Op != roster.And {
		return append(out, f)
	}
	for i := range f.Sub {
		out = conjunction(&f.Sub[i], out)
	}
	return out
}

func (r *ScimReader) keysOf(alias string, t *roster.Filter) (string, []any) {
	org := r.view.Org
	if t.Op == roster.Eq && t.Text != "" {
		switch {
		case t.Field == roster.FieldUserName && alias == "m":
			return `SELECT id FROM members WHERE org_id = ? AND user_name_key = ? AND status <> 'deleted'`, []any{org, roster.Fold(t.Text)}
		case t.Field == roster.FieldExternalID && alias == "m":
			return `SELECT id FROM members WHERE org_id = ? AND external_id = ?`, []any{org, t.Text}
		case t.Field == roster.FieldExternalID:
			return `SELECT id FROM teams WHERE org_id = ? AND external_id = ?`, []any{org, t.Text}
		case t.Field == roster.FieldDisplayName:
			return `SELECT id FROM teams WHERE org_id = ? AND display_key = ?`, []any{org, roster.Fold(t.Text)}
		}
	}
	text, ok := sought(t)
	key := roster.Fold(text)
	if !ok || key == "" {
		return "", nil
	}
	switch {
	case alias == "t" && t.Field == roster.FieldMember:
		return `SELECT team_id AS id FROM memberships WHERE org_id = ? AND member_id = ? AND present = TRUE
			UNION ALL SELECT team_id AS id FROM team_groups WHERE org_id = ? AND group_id = ?`, []any{org, key, org, key}
	case alias == "m" && t.Field == roster.FieldTeam:
		return `SELECT member_id AS id FROM memberships WHERE org_id = ? AND team_id = ? AND present = TRUE`, []any{org, key}
	case alias == "m" && t.Field == roster.FieldAttribute && t.Attr.Schema == "" && t.Attr.Name == "displayName":
		// What is shown of a member is the displayName where there is one.
		return `SELECT id FROM members WHERE org_id = ? AND display_key = ?`, []any{org, key}
	case alias == "m" && t.Field == roster.FieldAttribute && t.Attr.Schema == "" && t.Attr.Name == "emails":
		return `SELECT id FROM members WHERE org_id = ? AND email_key = ?
			UNION ALL SELECT id FROM members WHERE org_id = ? AND email2_key = ? AND email2_key <> ''
			UNION ALL SELECT id FROM members WHERE org_id = ? AND more_emails = TRUE AND email_key <> ? AND email2_key <> ?`,
			[]any{org, key, org, key, org, key, key}
	}
	return "", nil
}

// sought returns the text that the part "value" of some value must equal.
func sought(t *roster.Filter) (string, bool) {
	if t.Op == roster.Eq {
		return t.Text, t.Part == roster.PartID && t.As == roster.AsFolded
	}
	if t.Op != roster.Any {
		return "", false
	}
	for _, inner := range conjunction(&t.Sub[0], nil) {
		if text, ok := sought(inner); ok && inner.Op == roster.Eq {
			return text, true
		}
	}
	return "", false
}
