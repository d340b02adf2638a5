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
	StartIndex   int
	ItemsPerPage int // how many are in this page
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
		StartIndex   int      `json:"startIndex"`
		ItemsPerPage int      `json:"itemsPerPage"`
		Resources    []any    `json:"Resources"`
	}{[]string{ListResponseURN}, l.TotalResults, l.StartIndex, l.ItemsPerPage, l.Resources})
}

// ListQuery holds the parameters of a query (RFC 7644, section 3.4.2, table 4), read but not yet tied to a type.
type ListQuery struct {
	Filter             string
	SortBy             string
	Descending         bool
	StartIndex         int // at least 1
	Count              int // not negative; meaningful with HasCount only
	HasCount           bool
	Attributes         []string // for ParseProjection
	ExcludedAttributes []string // for ParseProjection
}

// PageSize returns how many results to give at most, where the service gives no more than most.
func (q ListQuery) PageSize(most int) int {
	if !q.HasCount {
		return most
	}
	return min(q.Count, most)
}

// ParseListQuery reads the parameters of a GET, their names in any case. A startIndex below 1 is 1 and a negative count
// is 0 (RFC 7644, section 3.4.2.4); what isn't a number is invalidValue.
func ParseListQuery(values url.Values) (ListQuery, error) {
	get := func(name string) []string {
		if v, ok := values[name]; ok {
			return v
		}
		for k, v := range values {
			if strings.EqualFold(k, name) {
				return v
			}
		}
		return nil
	}
	first := func(name string) string {
		if v := get(name); len(v) > 0 {
			return strings.TrimSpace(v[0])
		}
		return ""
	}
	q := ListQuery{
		Filter: first("filter"), SortBy: first("sortBy"),
		Attributes: get("attributes"), ExcludedAttributes: get("excludedAttributes"),
	}
	return q.complete(first("startIndex"), first("count"), first("sortOrder"))
}

// ParseSearchRequest reads the body of a POST to .search (RFC 7644, section 3.4.3).
func ParseSearchRequest(body []byte) (ListQuery, error) {
	obj, err := decodeObject(body)
	if err != nil {
		return ListQuery{}, err
	}
	texts := map[string]string{}
	for _, name := range []string{"filter", "sortBy", "sortOrder", "startIndex", "count"} {
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
	q := ListQuery{Filter: texts["filter"], SortBy: texts["sortBy"]}
	if q.Attributes, err = stringList(obj, "attributes"); err != nil {
		return ListQuery{}, err
	}
	if q.ExcludedAttributes, err = stringList(obj, "excludedAttributes"); err != nil {
		return ListQuery{}, err
	}
	return q.complete(texts["startIndex"], texts["count"], texts["sortOrder"])
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

func (q ListQuery) complete(startIndex, count, order string) (ListQuery, error) {
	q.StartIndex = 1
	if startIndex != "" {
		n, err := pageNumber("startIndex", startIndex)
		if err != nil {
			return ListQuery{}, err
		}
		q.StartIndex = max(n, 1)
	}
	if count != "" {
		n, err := pageNumber("count", count)
		if err != nil {
			return ListQuery{}, err
		}
		q.Count, q.HasCount = max(n, 0), true
	}
	switch {
	case strings.EqualFold(order, "descending"):
		q.Descending = true
	case order != "" && !strings.EqualFold(order, "ascending"):
		return ListQuery{}, InvalidValue("sortOrder must be ascending or descending, not %s", quote(order))
	}
	return q, nil
}

// pageNumber reads a whole number; one out of range is as good as the largest.
func pageNumber(name, s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, InvalidValue("%s must be a whole number, not %s", name, quote(s))
	}
	return int(max(min(n, math.MaxInt32), math.MinInt32)), nil
}
