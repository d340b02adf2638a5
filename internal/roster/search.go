package roster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FoldedMark and TimeMark stand in a search document before a name that holds a key of its value. No attribute's name
// begins so.
const (
	FoldedMark = "~"
	TimeMark   = "@"
)

// maxFolded is how long a text may be, in bytes, to be found by its folded key. Longer ones are certificates and pictures,
// which compare as they are.
const maxFolded = 10_000

// sortableTime writes times so that they sort as text.
const sortableTime = "2006-01-02T15:04:05.000000000Z"

// SearchDocument renders the attributes so that SQL can filter and sort by any of them while it compares bytes only:
//
//	{"title": [{"value": "VP", "~value": "vp"}],
//	 "emails": [{"value": "Ada@x.com", "~value": "ada@x.com", "primary": true}, {"value": "b@x.com"}],
//	 "urn:…:User": {"hired": [{"value": "2020-01-01T00:00:00Z", "@value": "2020-01-01T00:00:00.000000000Z"}]}}
//
// Every attribute is a list of objects, the primary value first. Beside a text stands its folded key, where that differs,
// and the time that it is, if it is one. Nothing is empty. It needs no schema, so that it stays true when one changes.
func (a Attributes) SearchDocument() ([]byte, error) {
	out := map[string]any{}
	for name, v := range a {
		if extension, ok := v.(map[string]any); ok && strings.Contains(name, ":") {
			attrs := map[string]any{}
			for sub, v := range extension {
				if list := searchValues(v); list != nil {
					attrs[sub] = list
				}
			}
			if len(attrs) > 0 {
				out[name] = attrs
			}
			continue
		}
		if list := searchValues(v); list != nil {
			out[name] = list
		}
	}
	doc, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode what is searched: %w", err)
	}
	return doc, nil
}

func searchValues(v any) []map[string]any {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []map[string]any
	for _, e := range list {
		parts, ok := e.(map[string]any)
		if !ok {
			parts = map[string]any{"value": e}
		}
		if m := searchParts(parts); m != nil {
			out = append(out, m)
		}
	}
	if i := slices.IndexFunc(out, func(m map[string]any) bool { return m["primary"] == true }); i > 0 {
		primary := out[i]
		copy(out[1:i+1], out[:i])
		out[0] = primary
	}
	return out
}

func searchParts(parts map[string]any) map[string]any {
	out := make(map[string]any, 2*len(parts))
	for name, v := range parts {
		switch v := v.(type) {
		case nil, []any, map[string]any: // nothing here nests deeper
			continue
		case string:
			if v == "" {
				continue
			}
			searchText(out, name, v)
		default:
			out[name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func searchText(out map[string]any, name, v string) {
	v = strings.ReplaceAll(v, "\x00", "\uFFFD") // PostgreSQL's JSON can't hold it
	out[name] = v
	if len(v) > maxFolded {
		return
	}
	if key := Fold(v); key != v {
		out[FoldedMark+name] = key
	}
	if t, ok := ParseTime(v); ok {
		out[TimeMark+name] = SortableTime(t)
	}
}

// ParseTime reads a date and time as SCIM writes one (RFC 7643, section 2.3.5); without a zone it is UTC.
func ParseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05") || s[4] != '-' || s[10] != 'T' { // most texts are none: don't make errors of them
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// SortableTime writes a time as it stands in a search document: texts compare as the times do.
func SortableTime(t time.Time) string { return t.UTC().Format(sortableTime) }

// EmailKeys returns the folded keys of the emails: of Email, of another one, and whether there are more than these two.
func (a Attributes) EmailKeys() (first, second string, more bool) {
	first = Fold(a.Email())
	list, _ := a["emails"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		switch key := Fold(text(m["value"])); {
		case key == "" || key == first || key == second:
		case second == "":
			second = key
		default:
			more = true
		}
	}
	return first, second, more
}
