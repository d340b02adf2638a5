package store

import (
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// condition renders a filter as SQL over the table alias m (members) or t (teams), as far as a view sees.
func condition(v View, f *roster.Filter, alias string) (string, []any) {
	switch f.Op {
	case roster.And, roster.Or:
		parts := make([]string, 0, len(f.Sub))
		var args []any
		for i := range f.Sub {
			sql, a := condition(v, &f.Sub[i], alias)
			parts = append(parts, sql)
			args = append(args, a...)
		}
		return "(" + strings.Join(parts, " "+strings.ToUpper(string(f.Op))+" ") + ")", args
	case roster.Not:
		sql, args := condition(v, &f.Sub[0], alias)
		return "NOT " + sql, args
	}
	switch f.Field {
	case roster.FieldActive:
		sql := alias + ".status IN ('pending', 'active')"
		if f.Op == roster.Present {
			return "(1 = 1)", nil
		}
		if f.Bool != (f.Op == roster.Eq) {
			return "(NOT " + sql + ")", nil
		}
		return "(" + sql + ")", nil
	case roster.FieldCreated, roster.FieldModified:
		if f.Op == roster.Present {
			return "(1 = 1)", nil
		}
		return "(" + alias + "." + string(f.Field) + " " + comparison[f.Op] + " ?)", []any{toMicros(f.Time)}
	case roster.FieldMember:
		return memberCondition(v, f, alias)
	}
	return textCondition(f, alias)
}

var comparison = map[roster.FilterOp]string{ //nolint:gochecknoglobals // constant data
	roster.Eq: "=", roster.Ne: "<>", roster.Gt: ">", roster.Ge: ">=", roster.Lt: "<", roster.Le: "<=",
}

func memberCondition(v View, f *roster.Filter, alias string) (string, []any) {
	exists := `EXISTS (SELECT 1 FROM memberships ms JOIN members mm ON mm.org_id = ms.org_id AND mm.id = ms.member_id
		WHERE ms.org_id = ` + alias + `.org_id AND ms.team_id = ` + alias + `.id AND ms.present = TRUE
		AND mm.status IN ('pending', 'active')`
	seen, args := v.seen("mm")
	exists += seen
	if f.Op == roster.Present {
		return "(" + exists + "))", args
	}
	not := ""
	if f.Op == roster.Ne {
		not = "NOT "
	}
	return "(" + not + exists + " AND ms.member_id = ?))", append(args, f.Text)
}

// textCondition compares text: by the folded key where SCIM says caseExact false (RFC 7643, section 4.1), bytewise else.
func textCondition(f *roster.Filter, alias string) (string, []any) {
	column, value := alias+"."+string(f.Field), f.Text
	switch f.Field {
	case roster.FieldUserName:
		column, value = alias+".user_name_key", roster.Fold(value)
	case roster.FieldDisplayName:
		column, value = alias+".display_key", roster.Fold(value)
	case roster.FieldEmail:
		column, value = alias+".email_key", roster.Fold(value)
	case roster.FieldGivenName:
		column, value = alias+".given_key", roster.Fold(value)
	case roster.FieldFamilyName:
		column, value = alias+".family_key", roster.Fold(value)
	}
	switch f.Op {
	case roster.Present:
		return "(" + column + " <> '')", nil
	case roster.Co:
		return "(" + column + ` LIKE ? ESCAPE '\')`, []any{"%" + likeEscape(value) + "%"}
	case roster.Sw:
		return "(" + column + ` LIKE ? ESCAPE '\')`, []any{likeEscape(value) + "%"}
	case roster.Ew:
		return "(" + column + ` LIKE ? ESCAPE '\')`, []any{"%" + likeEscape(value)}
	case roster.Eq, roster.Ne, roster.Gt, roster.Ge, roster.Lt, roster.Le:
		return "(" + column + " " + comparison[f.Op] + " ?)", []any{value}
	}
	return "(1 = 0)", nil
}

func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
