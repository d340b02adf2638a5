package store

import (
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// place is somewhere in a search document: a column or expression, and the keys that lead from it. A key that is an index
// is written [0].
type place struct {
	doc  string
	keys []string
}

func (p place) at(keys ...string) place {
	return place{p.doc, append(append([]string{}, p.keys...), keys...)}
}

// valuesAt is the place of an attribute's list of values.
func valuesAt(a roster.Attr) place {
	p := place{doc: "m.search"}
	if a.Schema != "" {
		p = p.at(a.Schema)
	}
	if a.Name != "" {
		p = p.at(a.Name)
	}
	return p
}

// firstValue is the place of an attribute's first value.
func firstValue(a roster.Attr) place { return valuesAt(a).at("[0]") }

// oneValue is the place of the value that elements has reached.
func oneValue() place { return place{doc: "e.value"} }

// elements renders a table e with a row for each value of an attribute.
func (d *dialect) elements(a roster.Attr) string {
	if d.name == postgres.name {
		return "jsonb_array_elements(" + d.node(valuesAt(a)) + ") AS e(value)"
	}
	return "json_each(m.search, " + jsonPath(valuesAt(a).keys) + ") AS e"
}

// node renders what stands at a place, whatever its type; NULL: nothing.
func (d *dialect) node(p place) string {
	if d.name == postgres.name {
		return "(" + p.doc + arrows(p.keys) + ")"
	}
	return "json_extract(" + p.doc + ", " + jsonPath(p.keys) + ")"
}

// text renders the text at a place, which compares bytewise.
func (d *dialect) text(p place) string {
	if d.name == postgres.name {
		last := len(p.keys) - 1
		return "(" + p.doc + arrows(p.keys[:last]) + " ->> " + quoted(p.keys[last]) + ")" + d.bytewise
	}
	return d.node(p)
}

// leaf renders a part of the value at a place as it is to be compared. A part of another type is NULL.
func (d *dialect) leaf(p place, part string, as roster.ComparedAs) expression {
	at := p.at(part)
	switch as {
	case roster.AsFolded:
		return expression{sql: "COALESCE(" + d.text(p.at(roster.FoldedMark+part)) + ", " + d.text(at) + ")"}
	case roster.AsTime:
		return expression{sql: d.text(p.at(roster.TimeMark + part))}
	case roster.AsBoolean:
		if d.name == postgres.name {
			return expression{sql: "(CASE " + d.text(at) + " WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)"}
		}
	case roster.AsNumber:
		if d.name == postgres.name {
			return expression{sql: "(CASE WHEN jsonb_typeof(" + d.node(at) + ") = 'number' THEN " + d.text(at) + "::float8 END)"}
		}
		return expression{sql: "(CASE WHEN json_type(" + at.doc + ", " + jsonPath(at.keys) + ") IN ('integer', 'real') THEN CAST(" + d.text(at) + " AS REAL) END)"}
	}
	return expression{sql: d.text(at)}
}

// arrows leads to a place in PostgreSQL.
func arrows(keys []string) string {
	var out strings.Builder
	for _, k := range keys {
		out.WriteString(" -> ")
		if i, ok := index(k); ok {
			out.WriteString(strconv.Itoa(i))
			continue
		}
		out.WriteString(quoted(k))
	}
	return out.String()
}

// jsonPath leads to a place in SQLite.
func jsonPath(keys []string) string {
	path := "$"
	for _, k := range keys {
		if _, ok := index(k); ok {
			path += k
			continue
		}
		path += `."` + strings.NewReplacer(`"`, "", `\`, "").Replace(k) + `"` // no name has either
	}
	return quoted(path)
}

func index(key string) (int, bool) {
	inner, ok := strings.CutPrefix(key, "[")
	i, err := strconv.Atoi(strings.TrimSuffix(inner, "]"))
	return i, ok && err == nil
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
