package scim

import (
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// Schemas of messages (RFC 7644, sections 3.4.2 and 3.4.3).
const (
	ListResponseURN  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	SearchRequestURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
)

// ListResponse is the answer to a query (RFC 7644, section 3.4.2).
type ListResponse struct {
	TotalResults int
	StartIndex   int // 0: the query was by cursor
	ItemsPerPage int // how many are in this page
	NextCursor   string
	Resources    []any
}

// NewListResponse returns the page of results that begins at the 1-based startIndex, of total.
func NewListResponse[T any](resources []T, total, startIndex int) ListResponse {
	out := ListResponse{TotalResults: total, StartIndex: startIndex, ItemsPerPage: len(resources)}
	for _, r := range resources {
		out.Resources = append(out.Resources, r)
	}
	return out
}

// MarshalJSON always writes Resources, as clients count on the list even when it is empty.
func (l ListResponse) MarshalJSON() ([]byte, error) {
	if l.Resources == nil {
		l.Resources = []any{}
	}
	return json.Marshal(struct {
		Schemas      []string `json:"schemas"`
		TotalResults int      `json:"totalResults"`
		StartIndex   int      `json:"startIndex,omitempty"`
		ItemsPerPage int      `json:"itemsPerPage"`
		NextCursor   string   `json:"nextCursor,omitempty"`
		Resources    []any    `json:"Resources"`
	}{[]string{ListResponseURN}, l.TotalResults, l.StartIndex, l.ItemsPerPage, l.NextCursor, l.Resources})
}

// ListQuery holds the parameters of a query (RFC 7644, section 3.4.2, table 4; RFC 9865, section 2), read but not yet
// tied to a type.
type ListQuery struct {
	Filter             string
	SortBy             string
	Descending         bool
	StartIndex         int    // at least 1
	Cursor             string // empty: the first page
	ByCursor           bool   // pages are asked for by cursor, not by index
	Count              int    // not negative; meaningful with HasCount only
	HasCount           bool
	Attributes         []string // for ParseProjection
	ExcludedAttributes []string // for ParseProjection
}

// ParseListQuery reads the parameters of a GET, their names in any case. A startIndex below 1 is 1 and a negative count
// is 0 (RFC 7644, section 3.4.2.4); what isn't a number is invalidValue. A parameter that is there twice is refused: with
// the wrong one of two filters a client would take others for those it asked for.
func ParseListQuery(values url.Values) (ListQuery, error) {
	given := map[string][]string{}
	for name, v := range values {
		for _, known := range queryNames() {
			if strings.EqualFold(name, known) {
				given[known] = append(given[known], v...)
			}
		}
	}
	texts := map[string]string{}
	for name, v := range given {
		if name == "attributes" || name == "excludedAttributes" {
			continue
		}
		for _, again := range v[1:] {
			if again != v[0] {
				return ListQuery{}, InvalidValue("%s is given more than once", name)
			}
		}
		texts[name] = strings.TrimSpace(v[0])
	}
	q := ListQuery{Attributes: given["attributes"], ExcludedAttributes: given["excludedAttributes"]}
	return q.complete(texts)
}

func queryNames() []string {
	return []string{"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes"}
}

// ParseSearchRequest reads the body of a POST to .search (RFC 7644, section 3.4.3).
func ParseSearchRequest(body []byte) (ListQuery, error) {
	obj, err := decodeObject(body)
	if err != nil {
		return ListQuery{}, err
	}
	texts := map[string]string{}
	for _, name := range []string{"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"} {
		switch v, _ := member(obj, name); v := v.(type) {
		case nil:
		case string:
			texts[name] = strings.TrimSpace(v)
		case json.Number:
			texts[name] = string(v)
		default:
			return ListQuery{}, InvalidValue("%s must not be %s", name, kindOf(v))
		}
	}
	var q ListQuery
	if q.Attributes, err = stringList(obj, "attributes"); err != nil {
		return ListQuery{}, err
	}
	if q.ExcludedAttributes, err = stringList(obj, "excludedAttributes"); err != nil {
		return ListQuery{}, err
	}
	return q.complete(texts)
}

func stringList(obj map[string]any, name string) ([]string, error) {
	v, _ := member(obj, name)
	var out []string
	for _, e := range flatten(v) {
		s, ok := e.(string)
		if !ok {
			return nil, InvalidValue("%s must be a list of names", name)
		}
		out = append(out, s)
	}
	return out, nil
}

func (q ListQuery) complete(texts map[string]string) (ListQuery, error) {
	q.Filter, q.SortBy, q.StartIndex = texts["filter"], texts["sortBy"], 1
	q.Cursor, q.ByCursor = texts["cursor"], has(texts, "cursor")
	if s := texts["startIndex"]; s != "" {
		n, err := pageNumber(s)
		if err != nil {
			return ListQuery{}, InvalidValue("startIndex must be a whole number, not %s", quote(s))
		}
		if q.ByCursor {
			return ListQuery{}, InvalidValue("startIndex and cursor exclude each other: pages go by one of them")
		}
		q.StartIndex = max(n, 1)
	}
	if s := texts["count"]; s != "" {
		n, err := pageNumber(s)
		if err != nil && q.ByCursor {
			return ListQuery{}, InvalidCount("count must be a whole number, not %s", quote(s))
		}
		if err != nil {
			return ListQuery{}, InvalidValue("count must be a whole number, not %s", quote(s))
		}
		q.Count, q.HasCount = max(n, 0), true
	}
	switch order := texts["sortOrder"]; {
	case strings.EqualFold(order, "descending"):
		q.Descending = true
	case order != "" && !strings.EqualFold(order, "ascending"):
		return ListQuery{}, InvalidValue("sortOrder must be ascending or descending, not %s", quote(order))
	}
	return q, nil
}

func has(texts map[string]string, name string) bool {
	_, ok := texts[name]
	return ok
}

// pageNumber reads a whole number; one out of range is as good as the largest.
func pageNumber(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, err
	}
	return int(max(min(n, math.MaxInt32), math.MinInt32)), nil
}

// ParseSort reads sortBy (RFC 7644, section 3.4.2.3) for resources of a type: the path of a simple attribute. A complex
// one stands for its sub-attribute "value", as in emails. What the type doesn't define gives a Path that is not Known: no
// resource has a value there.
func ParseSort(t *ResourceType, name string) (Path, error) {
	p, ok := t.resolve(name)
	if !ok || p.Attr == "" {
		return Path{}, InvalidValue("sortBy must be an attribute, or one of its sub-attributes, not %s", quote(name))
	}
	if a := p.Leaf(); a != nil && a.Type == Complex {
		if p = p.withSub("value"); p.sub == nil {
			return Path{}, InvalidValue("%s is complex: sort by one of its sub-attributes", p.Attr)
		}
	}
	return p, nil
}
