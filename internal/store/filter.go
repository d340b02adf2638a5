package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// conditions renders filters as SQL. Each piece that it writes is true or false, never NULL, so that a NOT around it
// holds for those that have no value. Arguments are collected in the order in which their marks stand.
type conditions struct {
	dialect *dialect
	view    View
	alias   string       // m: members, t: teams
	scope   roster.Field // within the term of an Any: the field whose values it is about
	groups  bool         // within a FieldMember: of groups, not of people
	sql     strings.Builder
	args    []any
}

// condition renders a filter over the table alias m (members) or t (teams), as far as a view sees.
func (db *DB) condition(v View, f *roster.Filter, alias string) (string, []any) {
	c := &conditions{dialect: &db.dialect, view: v, alias: alias}
	c.filter(f)
	return c.sql.String(), c.args
}

func (c *conditions) write(sql string, args ...any) {
	c.sql.WriteString(sql)
	c.args = append(c.args, args...)
}

func (c *conditions) filter(f *roster.Filter) {
	switch f.Op {
	case roster.And, roster.Or:
		c.write("(")
		for i := range f.Sub {
			if i > 0 {
				c.write(" " + strings.ToUpper(string(f.Op)) + " ")
			}
			c.filter(&f.Sub[i])
		}
		c.write(")")
	case roster.Not:
		c.write("(NOT ")
		c.filter(&f.Sub[0])
		c.write(")")
	case roster.All:
		c.write("(1 = 1)")
	case roster.None:
		c.write("(1 = 0)")
	case roster.Any:
		outer := c.scope
		c.exists(f, func() {
			c.scope = f.Field
			c.write(" AND ")
			c.filter(&f.Sub[0])
		})
		c.scope = outer
	default:
		c.comparison(f)
	}
}

// comparison renders what is said of one field.
func (c *conditions) comparison(f *roster.Filter) {
	switch f.Field {
	case roster.FieldPart:
		value, as := c.part(f, c.scope)
		c.compare(f, value, as)
	case roster.FieldAttribute, roster.FieldMember, roster.FieldTeam:
		c.values(f)
	default:
		value, as := c.column(f.Field, f.Prefix, f.Suffix)
		switch {
		case f.Field == roster.FieldCreated || f.Field == roster.FieldModified:
			c.instant(f, value)
		case f.Op == roster.Eq && f.Text == "" && as != roster.AsBoolean:
			c.write("(1 = 0)") // an empty text is no value
		case f.Op == roster.Eq || as == roster.AsBoolean: // no function around the column: an index may have it
			c.compare(f, value, as)
		default:
			value.sql, value.set = "NULLIF("+value.sql+", '')", false
			c.compare(f, value, as)
		}
	}
}

// expression is SQL for a value, with its arguments.
type expression struct {
	sql  string
	args []any
	set  bool // never NULL: what compares it needs no guard, and so can use an index
}

// column returns a field of the table's own and how it compares.
func (c *conditions) column(f roster.Field, prefix, suffix string) (expression, roster.ComparedAs) {
	at := c.alias + "."
	switch f {
	case roster.FieldUserName:
		return expression{sql: at + "user_name_key", set: true}, roster.AsFolded
	case roster.FieldDisplayName:
		return expression{sql: at + "display_key", set: true}, roster.AsFolded
	case roster.FieldActive:
		return expression{sql: "(" + at + "status IN ('pending', 'active'))", set: true}, roster.AsBoolean
	case roster.FieldExternalID:
		return expression{sql: at + "external_id", set: true}, roster.AsExact
	}
	return c.around(at+string(f), prefix, suffix), roster.AsExact
}

// around puts a prefix and a suffix to a column.
func (c *conditions) around(column, prefix, suffix string) expression {
	if prefix == "" && suffix == "" {
		return expression{sql: column, set: true}
	}
	return expression{
		sql:  "(CAST(? AS TEXT) || " + column + " || CAST(? AS TEXT))" + c.dialect.bytewise,
		args: []any{prefix, suffix},
		set:  true,
	}
}

// instant compares a time that is stored in microseconds with one that may be finer.
func (c *conditions) instant(f *roster.Filter, value expression) {
	if f.Op == roster.Present {
		c.write("(1 = 1)")
		return
	}
	if f.Op.Substring() {
		c.compare(f, expression{sql: strings.ReplaceAll(c.dialect.timeText, "{at}", value.sql), set: true}, roster.AsFolded)
		return
	}
	op, micros := f.Op, f.Time.UnixMicro()
	if f.Time.Nanosecond()%int(time.Microsecond) != 0 { // it lies between two microseconds, the first of which is micros
		switch op {
		case roster.Eq:
			c.write("(1 = 0)")
			return
		case roster.Ne:
			c.write("(1 = 1)")
			return
		case roster.Ge:
			op = roster.Gt
		case roster.Lt:
			op = roster.Le
		}
	}
	c.write("("+value.sql+" "+operator(op)+" ?)", micros)
}

// values renders a comparison with any value of a field that may have several.
func (c *conditions) values(f *roster.Filter) {
	switch {
	case f.Field == roster.FieldAttribute && f.Attr.Name == "":
		c.write("(" + c.dialect.node(valuesAt(f.Attr)) + " IS NOT NULL)")
	case f.Field == roster.FieldAttribute && f.Op == roster.Present && f.Part == "":
		c.write("(" + c.dialect.node(firstValue(f.Attr)) + " IS NOT NULL)")
	case f.Field == roster.FieldAttribute && f.Attr.Single:
		c.compare(f, c.dialect.leaf(firstValue(f.Attr), f.Part, f.As), f.As)
	case f.Op == roster.Present && f.Part == "":
		c.exists(f, func() {})
	case f.Op == roster.Ne:
		present := *f
		present.Op = roster.Present
		c.write("(")
		c.someValue(f)
		c.write(" OR NOT ")
		c.someValue(&present)
		c.write(")")
	default:
		c.someValue(f)
	}
}

func (c *conditions) someValue(f *roster.Filter) {
	c.exists(f, func() {
		value, as := c.part(f, f.Field)
		c.write(" AND ")
		if f.Op == roster.Ne { // here a value without the part doesn't count
			c.write("(")
			c.write(value.sql, value.args...)
			c.write(" IS NOT NULL) AND ")
		}
		c.compare(f, value, as)
	})
}

// part returns what is compared of one value of a field, within exists.
func (c *conditions) part(f *roster.Filter, of roster.Field) (expression, roster.ComparedAs) {
	if of == roster.FieldAttribute {
		return c.dialect.leaf(oneValue(), f.Part, f.As), f.As
	}
	return c.relationPart(of, f.Part, f.Prefix, f.GroupPrefix)
}

// exists begins a condition that some value of a field meets what more adds. Of the members of a team it is said twice:
// of people, and of groups.
func (c *conditions) exists(f *roster.Filter, more func()) {
	if f.Field == roster.FieldAttribute {
		c.write("EXISTS (SELECT 1 FROM " + c.dialect.elements(f.Attr) + " WHERE 1 = 1")
		more()
		c.write(")")
		return
	}
	c.write("(EXISTS (SELECT 1 FROM ")
	c.relation(f.Field)
	more()
	c.write(")")
	if f.Field == roster.FieldMember {
		c.groups = true
		c.write(" OR (t.nested > 0 AND EXISTS (SELECT 1 FROM ")
		c.relation(f.Field)
		more()
		c.write("))")
		c.groups = false
	}
	c.write(")")
}

// relation renders the members of a team that count, or the groups within it, or the teams in which a member counts. The
// organisation stands in it as a value: PostgreSQL may want to read it apart from the outer table.
func (c *conditions) relation(f roster.Field) {
	org := c.view.Org
	switch {
	case c.groups:
		visible, args := c.view.teamsAs("g")
		c.write(`team_groups tg JOIN teams g ON g.org_id = tg.org_id AND g.id = tg.group_id
			WHERE tg.org_id = ? AND tg.team_id = t.id AND `, org)
		c.write(visible, args...)
	case f == roster.FieldMember:
		seen, args := c.view.seen("mm")
		c.write(`memberships ms JOIN members mm ON mm.org_id = ms.org_id AND mm.id = ms.member_id
			WHERE ms.org_id = ? AND ms.team_id = t.id AND ms.present = TRUE AND mm.status IN ('pending', 'active')`, org)
		c.write(seen, args...)
	default:
		visible, args := c.view.teams()
		c.write(`memberships ms JOIN teams t ON t.org_id = ms.org_id AND t.id = ms.team_id
			WHERE ms.org_id = ? AND ms.member_id = m.id AND ms.present = TRUE AND m.status IN ('pending', 'active') AND `, org)
		c.write(visible, args...)
	}
}

func (c *conditions) relationPart(f roster.Field, part, prefix, groupPrefix string) (expression, roster.ComparedAs) {
	id, name, kind := "mm.id", "mm.user_name_key", "'user'"
	switch {
	case c.groups:
		id, name, kind, prefix = "g.id", "g.display_key", "'group'", groupPrefix
	case f == roster.FieldTeam:
		id, name, kind = "t.id", "t.display_key", "'direct'"
	}
	switch part {
	case roster.PartName:
		return expression{sql: name, set: true}, roster.AsFolded
	case roster.PartKind:
		return expression{sql: kind + c.dialect.bytewise, set: true}, roster.AsFolded
	case roster.PartLocation:
		return c.around(id, prefix, ""), roster.AsExact
	}
	return expression{sql: id, set: true}, roster.AsFolded
}

// compare writes a comparison of one value, which may be NULL: then only Ne holds.
func (c *conditions) compare(f *roster.Filter, value expression, as roster.ComparedAs) {
	if f.Op == roster.Present {
		c.write("(")
		c.write(value.sql, value.args...)
		c.write(" IS NOT NULL)")
		return
	}
	otherwise := "FALSE"
	if f.Op == roster.Ne {
		otherwise = "TRUE"
	}
	if value.set {
		c.write("(")
	} else {
		c.write("COALESCE(")
	}
	c.write(value.sql, value.args...)
	text := comparedText(f, as)
	switch {
	case f.Op == roster.Co:
		c.write(` LIKE ? ESCAPE '\'`, "%"+likeEscape(text)+"%")
	case f.Op == roster.Sw:
		c.write(` LIKE ? ESCAPE '\'`, likeEscape(text)+"%")
	case f.Op == roster.Ew:
		c.write(` LIKE ? ESCAPE '\'`, "%"+likeEscape(text))
	case as == roster.AsBoolean:
		c.write(" " + operator(f.Op) + " " + strings.ToUpper(fmt.Sprint(f.Bool)))
	case as == roster.AsNumber:
		c.write(" "+operator(f.Op)+" ?", f.Number)
	default:
		c.write(" "+operator(f.Op)+" ?", text)
	}
	if value.set {
		c.write(")")
		return
	}
	c.write(", " + otherwise + ")")
}

// comparedText is the text that a filter's stands for in the store: its key, or itself.
func comparedText(f *roster.Filter, as roster.ComparedAs) string {
	switch {
	case as == roster.AsTime && !f.Op.Substring():
		return roster.SortableTime(f.Time)
	case as == roster.AsFolded && f.Op.Substring():
		return roster.FoldPart(f.Text)
	case as == roster.AsFolded:
		return roster.Fold(f.Text)
	}
	return f.Text
}

func operator(op roster.FilterOp) string {
	switch op {
	case roster.Ne:
		return "<>"
	case roster.Gt:
		return ">"
	case roster.Ge:
		return ">="
	case roster.Lt:
		return "<"
	case roster.Le:
		return "<="
	}
	return "="
}

func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
