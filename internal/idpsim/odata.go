package idpsim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// object is one JSON object of an answer.
type object = map[string]any

// request is a Graph request, arrived by itself or inside a $batch.
type request struct {
	method string
	path   string // below /v1.0, without a trailing slash
	query  url.Values
	header http.Header
	body   []byte
	base   string // scheme, host and /v1.0: what answers link to
	params []string
	gone   <-chan struct{} // closed when the client has given up
	shift  int             // how far a fault moves where the page begins
	outer  bool            // a request for a token, or a $batch itself
}

// reply is an answer before it is encoded.
type reply struct {
	status int
	header map[string]string
	body   object
}

// fail returns Graph's error body (page "Microsoft Graph error responses and resource types"); the innerError is added
// when it is sent.
func fail(status int, code, message string) reply {
	return reply{status: status, body: object{"error": object{"code": code, "message": message}}}
}

// notFound is what Graph answers for an object that it doesn't know, or that is soft-deleted.
func notFound(id string) reply {
	return fail(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

// entity describes a type: its properties and those returned when $select isn't given.
type entity struct {
	typ      string
	all      []string
	standard []string
}

// list is a collection to be paged: ids in a stable order, and how to render one (nil: left out).
type list struct {
	entity   entity
	context  string // the part of @odata.context after $metadata#
	ids      []string
	get      func(id string) object
	has      func(id string) bool // whether get gives one, without the work; nil: it does for every id
	cast     bool                 // mark each entry with its @odata.type
	size     int                  // page size without $top
	unsorted bool                 // ids aren't sorted: the page token counts entries instead of naming the last one
}

// page answers a collection (pages "Paging Microsoft Graph data in your app" and "Use query parameters").
func (r *request) page(l list) reply {
	top, rep := r.top(l.size)
	if rep != nil {
		return *rep
	}
	fields, rep := r.fields(l.entity)
	if rep != nil {
		return *rep
	}
	where, err := parseFilter(r.query.Get("$filter"))
	if err != nil {
		return fail(http.StatusBadRequest, "BadRequest", "Invalid filter clause: "+err.Error())
	}
	if unknown := where.unknown(l.entity.all); unknown != "" {
		return fail(http.StatusBadRequest, "Request_UnsupportedQuery",
			"Unsupported or invalid query filter clause specified for property '"+unknown+"' of resource '"+l.entity.typ+"'.")
	}
	start, ok := r.start(l)
	if !ok {
		return fail(http.StatusBadRequest, "Directory_ExpiredPageToken",
			"The specified page token value has expired and can no longer be included in your request.")
	}
	count := r.eventual() && r.query.Get("$count") == "true" && start == 0
	values, next, total := collect(l, where, start, top, fields, count)
	body := object{"value": values, "@odata.context": r.metadata(l, fields)}
	if next != "" {
		body["@odata.nextLink"] = r.link(next)
	}
	if count {
		body["@odata.count"] = total
	}
	return reply{status: http.StatusOK, body: body}
}

// eventual says whether the request asks for advanced query capabilities; Graph ignores $count without that header.
func (r *request) eventual() bool {
	return strings.EqualFold(r.header.Get("ConsistencyLevel"), "eventual")
}

func (r *request) top(size int) (int, *reply) {
	v := r.query.Get("$top")
	if v == "" {
		return size, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 999 {
		rep := fail(http.StatusBadRequest, "Request_UnsupportedQuery",
			"Invalid page size specified: '"+v+"'. Must be between 1 and 999 inclusive.")
		return 0, &rep
	}
	return n, nil
}

// fields returns the properties asked for by $select, or the standard ones.
func (r *request) fields(e entity) ([]string, *reply) {
	sel := r.query.Get("$select")
	if sel == "" {
		return e.standard, nil
	}
	var out []string
	for f := range strings.SplitSeq(sel, ",") {
		f = strings.TrimSpace(f)
		if !slices.Contains(e.all, f) {
			rep := fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+
				f+"' on type 'microsoft.graph."+e.typ+"'.")
			return nil, &rep
		}
		out = append(out, f)
	}
	return out, nil
}

// start returns the position that $skiptoken names.
func (r *request) start(l list) (int, bool) {
	token := r.query.Get("$skiptoken")
	if token == "" {
		return 0, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 2 || raw[0] != 'p' {
		return 0, false
	}
	last := string(raw[1:])
	if l.unsorted {
		n, err := strconv.Atoi(last)
		return r.shifted(n, len(l.ids)), err == nil && n >= 0
	}
	i, ok := slices.BinarySearch(l.ids, last)
	if ok {
		i++
	}
	return r.shifted(i, len(l.ids)), true
}

// shifted returns where a page of a collection of n begins.
func (r *request) shifted(start, n int) int { return max(0, min(start+r.shift, n)) }

// collect returns up to top entries from start and the token of the next page; with count, also how many match in all.
func collect(l list, where *clause, start, top int, fields []string, count bool) (values []object, next string, total int) {
	values = []object{}
	for i := start; i < len(l.ids) && next == ""; i++ {
		item := l.get(l.ids[i])
		switch {
		case item == nil || !where.matches(item):
		case len(values) < top:
			values = append(values, pick(l.entity, item, fields, l.cast))
		default:
			next = token(l, i)
		}
	}
	if count {
		total = l.count(where)
	}
	return values, next, total
}

// count returns how many entries match.
func (l list) count(where *clause) int {
	if where == nil && l.has == nil {
		return len(l.ids)
	}
	n := 0
	for _, id := range l.ids {
		if where == nil {
			if l.has(id) {
				n++
			}
		} else if item := l.get(id); item != nil && where.matches(item) {
			n++
		}
	}
	return n
}

// token names the entry before the i-th, which begins the next page.
func token(l list, i int) string {
	last := l.ids[i-1]
	if l.unsorted {
		last = strconv.Itoa(i)
	}
	return base64.RawURLEncoding.EncodeToString([]byte("p" + last))
}

func pick(e entity, item object, fields []string, cast bool) object {
	out := make(object, len(fields)+1)
	for _, f := range fields {
		out[f] = item[f]
	}
	if cast {
		out["@odata.type"] = "#microsoft.graph." + e.typ
		if typ, ok := item["@odata.type"]; ok {
			out["@odata.type"] = typ
		}
	}
	return out
}

func (r *request) metadata(l list, fields []string) string {
	context := r.base + "/$metadata#" + l.context
	if r.query.Get("$select") != "" {
		context += "(" + strings.Join(fields, ",") + ")"
	}
	return context
}

// link returns this request's own URL with the next page's token.
func (r *request) link(token string) string {
	q := url.Values{}
	for k, v := range r.query {
		q[k] = v
	}
	q.Set("$skiptoken", token)
	return r.base + r.path + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// one answers a single object.
func (r *request) one(e entity, context string, item object) reply {
	fields, rep := r.fields(e)
	if rep != nil {
		return *rep
	}
	body := pick(e, item, fields, false)
	body["@odata.context"] = r.metadata(list{context: context}, fields) + "/$entity"
	return reply{status: http.StatusOK, body: body}
}
