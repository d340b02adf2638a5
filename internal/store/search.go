package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// Search says which part of a list is wanted, and in which order.
type Search struct {
	Filter *roster.Filter // nil: all
	Sort   *roster.Sort   // nil: by id
	After  *Position      // nil: from the beginning
	Offset int
	Limit  int
}

// Position is where something stands in an order. What is behind it stays behind it, whatever comes or goes before.
type Position struct {
	Key *string // of what is sorted by; nil: there is none
	ID  string
}

// ScimItem is a member or a team in a page.
type ScimItem struct {
	Member *roster.Member
	Team   *roster.Team
	At     Position
}

// ScimPage is a part of a list.
type ScimPage struct {
	Items []ScimItem
	Total int  // how many there are in all
	More  bool // there are some behind the last item
}

// Members returns the members of the page.
func (p *ScimPage) Members() []*roster.Member {
	var out []*roster.Member
	for i := range p.Items {
		if m := p.Items[i].Member; m != nil {
			out = append(out, m)
		}
	}
	return out
}

// Teams returns the teams of the page.
func (p *ScimPage) Teams() []*roster.Team {
	var out []*roster.Team
	for i := range p.Items {
		if t := p.Items[i].Team; t != nil {
			out = append(out, t)
		}
	}
	return out
}

// query is a search over one table, rendered in parts. order is empty for an order by id.
type query struct {
	from, where string
	fromArgs    []any
	args        []any // of from and where
	order       string
	orderArgs   []any
	orderType   string
}

// query renders a search over the table alias m (members) or t (teams).
func (r *ScimReader) query(alias string, s Search) query {
	table, where, args := "members m", "", []any(nil)
	if alias == "m" {
		where, args = r.view.members()
	} else {
		table = "teams t"
		where, args = r.view.teams()
	}
	q := query{from: table}
	if s.Filter != nil {
		if keys, keyArgs := r.keys(alias, s.Filter); keys != "" {
			q.among(&r.db.dialect, alias, r.view.Org, keys, keyArgs)
		}
	}
	q.where, q.args = where+q.where, slices.Concat(q.fromArgs, args)
	if s.Filter != nil {
		sql, more := r.db.condition(r.view, s.Filter, alias)
		q.where, q.args = q.where+" AND "+sql, append(q.args, more...)
	}
	if s.Sort != nil {
		key := r.sortKey(alias, s.Sort)
		q.order, q.orderArgs, q.orderType = key.sql, key.args, sortType(s.Sort)
	}
	return q
}

// among limits a query to the ids that a subquery finds, each looked up by the table's key. Left to themselves both
// databases may, for want of statistics, check the whole organisation's documents first: SQLite keeps to the order of a
// CROSS JOIN, and PostgreSQL doesn't look into what has an OFFSET.
func (q *query) among(d *dialect, alias, org, keys string, args []any) {
	q.fromArgs = args
	if d.name == postgres.name {
		table, _, _ := strings.Cut(q.from, " ")
		q.from = "(" + keys + ") k CROSS JOIN LATERAL (SELECT * FROM " + table + " WHERE org_id = ? AND id = k.id OFFSET 0) " + alias
		q.fromArgs = append(q.fromArgs, org)
		return
	}
	q.from, q.where = "("+keys+") k CROSS JOIN "+q.from, " AND "+alias+".id = k.id"
}

// sortedLength is how much of a text counts for its place in an order, in characters: a position is part of a URL.
const sortedLength = 200

// sortKey renders what is sorted by; NULL: there is nothing.
func (r *ScimReader) sortKey(alias string, s *roster.Sort) expression {
	c := &conditions{dialect: &r.db.dialect, view: r.view, alias: alias}
	switch s.Field {
	case roster.FieldCreated, roster.FieldModified:
		return expression{sql: alias + "." + string(s.Field)}
	case roster.FieldActive:
		return expression{sql: "(CASE WHEN " + alias + ".status IN ('pending', 'active') THEN 1 ELSE 0 END)"}
	case roster.FieldMember, roster.FieldTeam:
		if s.Field == roster.FieldTeam {
			c.firstOf(s, "t.display_key, t.id")
			return cutText(expression{sql: c.sql.String(), args: c.args})
		}
		c.write("COALESCE(")
		c.firstOf(s, "mm.id")
		c.write(", ")
		c.groups = true
		c.firstOf(s, "g.id")
		c.write(")")
		return cutText(expression{sql: c.sql.String(), args: c.args})
	case roster.FieldAttribute:
		key := r.db.dialect.leaf(firstValue(s.Attr), s.Part, s.As)
		switch s.As {
		case roster.AsNumber:
			return key
		case roster.AsBoolean:
			key.sql = "(CASE " + key.sql + " WHEN TRUE THEN 1 WHEN FALSE THEN 0 END)"
			return key
		}
		return cutText(key)
	}
	column, _ := c.column(s.Field, s.Prefix, s.Suffix)
	column.sql = "NULLIF(" + column.sql + ", '')"
	return cutText(column)
}

// firstOf renders a part of the first of what a relation holds.
func (c *conditions) firstOf(s *roster.Sort, order string) {
	part, _ := c.relationPart(s.Field, s.Part, s.Prefix, s.GroupPrefix)
	c.write("(SELECT ")
	c.write(part.sql, part.args...)
	c.write(" FROM ")
	c.relation(s.Field)
	c.write(" ORDER BY " + order + " LIMIT 1)")
}

func cutText(e expression) expression {
	e.sql = "substr(" + e.sql + ", 1, " + strconv.Itoa(sortedLength) + ")"
	return e
}

// sortType is the SQL type of what is sorted by.
func sortType(s *roster.Sort) string {
	switch {
	case s.Field == roster.FieldCreated || s.Field == roster.FieldModified:
		return "BIGINT"
	case s.Field == roster.FieldActive, s.Field == roster.FieldAttribute && s.As == roster.AsBoolean:
		return "INTEGER"
	case s.Field == roster.FieldAttribute && s.As == roster.AsNumber:
		return "DOUBLE PRECISION"
	}
	return "TEXT"
}

// keyArgument gives a key back the type that it had.
func keyArgument(key, sqlType string) any {
	switch sqlType {
	case "BIGINT", "INTEGER":
		if n, err := strconv.ParseInt(key, 10, 64); err == nil {
			return n
		}
	case "DOUBLE PRECISION":
		if f, err := strconv.ParseFloat(key, 64); err == nil {
			return f
		}
	}
	return key
}

// ordering is an order by the columns sort_key and id of a table alias, and the condition that a row stands behind a
// position in it.
type ordering struct {
	keyed      bool
	descending bool
	sqlType    string
}

func orderingOf(q query, s *roster.Sort) ordering {
	return ordering{keyed: q.order != "", descending: s != nil && s.Descending, sqlType: q.orderType}
}

// by renders ORDER BY: what has no key is last, or first if the order is descending.
func (o ordering) by() string {
	if !o.keyed {
		return " ORDER BY x.id"
	}
	if o.descending {
		return " ORDER BY x.sort_key DESC NULLS FIRST, x.id DESC"
	}
	return " ORDER BY x.sort_key ASC NULLS LAST, x.id ASC"
}

func (o ordering) behind(p *Position) (string, []any) {
	if p == nil {
		return "", nil
	}
	if !o.keyed {
		return " WHERE x.id > ?", []any{p.ID}
	}
	than, rest := ">", "x.sort_key IS NULL"
	if o.descending {
		than = "<"
	}
	if p.Key == nil {
		if o.descending {
			return " WHERE (x.sort_key IS NULL AND x.id < ?) OR x.sort_key IS NOT NULL", []any{p.ID}
		}
		return " WHERE x.sort_key IS NULL AND x.id > ?", []any{p.ID}
	}
	key := keyArgument(*p.Key, o.sqlType)
	where := " WHERE x.sort_key " + than + " ? OR (x.sort_key = ? AND x.id " + than + " ?)"
	if !o.descending {
		where += " OR " + rest
	}
	return where, []any{key, key, p.ID}
}

// rowPlace is a row's place in an order.
type rowPlace struct {
	SortKey sql.NullString `db:"sort_key"`
}

func (r rowPlace) position(id string) Position {
	if !r.SortKey.Valid {
		return Position{ID: id}
	}
	return Position{Key: &r.SortKey.String, ID: id}
}

// page renders the rows of a page with their sort_key, one more than asked for if there is one.
func (q query) page(columns string, s Search) (string, []any) {
	o := orderingOf(q, s.Sort)
	if !o.keyed { // plain, so that the table's key gives the order
		table, after, args := columns[:1], "", slices.Clone(q.args)
		if s.After != nil {
			after, args = " AND "+table+".id > ?", append(args, s.After.ID)
		}
		return "SELECT " + columns + ", NULL AS sort_key FROM " + q.from + " WHERE " + q.where + after +
			" ORDER BY " + table + ".id LIMIT ? OFFSET ?", append(args, s.Limit+1, s.Offset)
	}
	rows, args := q.rows(columns)
	return o.page(rows, args, s)
}

// rows renders the rows with their sort_key, in no order.
func (q query) rows(columns string) (string, []any) {
	key := q.order
	if key == "" {
		key = "NULL"
	}
	return "SELECT " + columns + ", " + key + " AS sort_key FROM " + q.from + " WHERE " + q.where,
		append(slices.Clone(q.orderArgs), q.args...)
}

// page cuts a page out of rows.
func (o ordering) page(rows string, args []any, s Search) (string, []any) {
	after, more := o.behind(s.After)
	return "SELECT * FROM (" + rows + ") x" + after + o.by() + " LIMIT ? OFFSET ?", append(append(args, more...), s.Limit+1, s.Offset)
}

// total counts what a search finds in all, unless the page at hand says it: n rows were read of limit and one.
func (r *ScimReader) total(ctx context.Context, s Search, n int, queries ...query) (int, error) {
	if s.After == nil && n <= s.Limit && (n > 0 || s.Offset == 0) && s.Limit > 0 {
		return s.Offset + n, nil
	}
	sum := 0
	for _, q := range queries {
		var count int
		if err := r.q.GetContext(ctx, &count, r.db.bind("SELECT COUNT(*) FROM "+q.from+" WHERE "+q.where), q.args...); err != nil {
			return 0, err
		}
		sum += count
	}
	return sum, nil
}
