package idpsim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oktaReply is an answer before it is encoded: an array of a list, or an object.
type oktaReply struct {
	status int
	body   any
	next   string // of a list: the URL of the next page
	// challenge is the header WWW-Authenticate, where there is one (RFC 6750, section 3).
	challenge string
}

// oktaError returns Okta's error body (page "Okta API error codes and descriptions"); the errorId is added when it is
// sent.
func oktaError(status int, code, summary string) oktaReply {
	return oktaReply{status: status, body: object{
		"errorCode": code, "errorSummary": summary, "errorLink": code, "errorCauses": []any{},
	}}
}

func oktaNotFound(id, kind string) oktaReply {
	return oktaError(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+id+" ("+kind+")")
}

func oktaInvalid(what string) oktaReply {
	rep := oktaError(http.StatusBadRequest, "E0000001", "Api validation failed: "+what)
	if body, ok := rep.body.(object); ok {
		body["errorCauses"] = []any{object{"errorSummary": what}}
	}
	return rep
}

// oktaHandler answers a request from a directory.
type oktaHandler func(d *oktaDirectory, r *request) oktaReply

// oktaRoute is one line of the table.
type oktaRoute struct {
	pattern string
	needs   []OktaPermission
	handle  oktaHandler
	segs    []string
}

// table lists what the tenant serves below /api/v1, all of it by GET.
func (t *OktaTenant) table() []oktaRoute {
	users, groups := []OktaPermission{OktaUsersRead}, []OktaPermission{OktaGroupsRead}
	apps, logs := []OktaPermission{OktaAppsRead}, []OktaPermission{OktaLogsRead}
	pushes := []OktaPermission{OktaAppsRead, OktaGroupsRead}
	routes := []oktaRoute{
		{pattern: "/users", needs: users, handle: t.listUsers},
		{pattern: "/users/{id}", needs: users, handle: t.getUser},
		{pattern: "/users/{id}/groups", needs: users, handle: t.userGroups},
		{pattern: "/groups", needs: groups, handle: t.listGroups},
		{pattern: "/groups/{id}", needs: groups, handle: t.getGroup},
		{pattern: "/groups/{id}/users", needs: groups, handle: t.groupUsers},
		{pattern: "/apps", needs: apps, handle: t.listApps},
		{pattern: "/apps/{app}", needs: apps, handle: t.inApp(t.getApp)},
		{pattern: "/apps/{app}/users", needs: apps, handle: t.inApp(t.listAppUsers)},
		{pattern: "/apps/{app}/users/{id}", needs: apps, handle: t.inApp(t.getAppUser)},
		{pattern: "/apps/{app}/groups", needs: apps, handle: t.inApp(t.listAppGroups)},
		{pattern: "/apps/{app}/groups/{id}", needs: apps, handle: t.inApp(t.getAppGroup)},
		{pattern: "/apps/{app}/group-push/mappings", needs: pushes, handle: t.inApp(t.listMappings)},
		{pattern: "/apps/{app}/group-push/mappings/{id}", needs: pushes, handle: t.inApp(t.getMapping)},
		{pattern: "/logs", needs: logs, handle: t.listLogs},
	}
	for i := range routes {
		routes[i].segs = segments(routes[i].pattern)
	}
	return routes
}

// inApp answers 404 where the first parameter isn't the application.
func (t *OktaTenant) inApp(h oktaHandler) oktaHandler {
	return func(d *oktaDirectory, r *request) oktaReply {
		if r.params[0] != t.cfg.AppID {
			return oktaNotFound(r.params[0], "AppInstance")
		}
		return h(d, r)
	}
}

func (t *OktaTenant) lookup(r *request) *oktaRoute {
	got := segments(r.path)
	for i := range t.routes {
		rt := &t.routes[i]
		if len(rt.segs) != len(got) {
			continue
		}
		var params []string
		match := true
		for j, seg := range rt.segs {
			if strings.HasPrefix(seg, "{") {
				params = append(params, got[j])
			} else if seg != got[j] {
				match = false
			}
		}
		if match {
			r.params = params
			return rt
		}
	}
	return nil
}

// ServeHTTP answers Okta's management API under /api/v1, and the token endpoint of service applications.
func (t *OktaTenant) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == oktaTokenPath {
		t.serveToken(w, req)
		return
	}
	path, found := strings.CutPrefix(req.URL.Path, "/api/v1/")
	r := &request{
		method: req.Method, path: "/" + strings.Trim(path, "/"), query: req.URL.Query(), header: req.Header,
		base: origin(req) + "/api/v1", gone: req.Context().Done(),
	}
	if !found {
		t.send(w, r, oktaNotFound(req.URL.Path, "Endpoint"), nil)
		return
	}
	rep, struck := t.answer(r)
	t.send(w, r, rep, struck)
}

// answer runs one request: authentication, faults, rate limit, permission, read. It returns the faults that shape how
// the reply is sent.
func (t *OktaTenant) answer(r *request) (oktaReply, []Fault) {
	rt := t.lookup(r)
	if rt == nil || r.method != http.MethodGet {
		t.counts.add("unknown")
	} else {
		t.counts.add("GET " + rt.pattern)
	}
	refused, access := t.admit(r.header.Get("Authorization"))
	if refused != nil {
		return *refused, nil
	}
	switch {
	case rt == nil:
		return oktaNotFound(r.path, "Endpoint"), nil
	case r.method != http.MethodGet:
		return oktaError(http.StatusMethodNotAllowed, "E0000022",
			"The endpoint does not support the provided HTTP method"), nil
	}
	struck := t.faults.strikes(r)
	lag := t.replica.read(t.Version())
	for _, f := range struck {
		lag = max(lag, f.Lag)
		r.shift += f.Shift
		f.pause(r.gone)
	}
	for _, f := range struck {
		switch {
		case f.Expired:
			return oktaInvalid("after: the cursor is not valid or has expired"), struck
		case f.Status != 0:
			return f.oktaFailure(), struck
		}
	}
	if rep := t.refused(rt); rep != nil {
		return *rep, struck
	}
	if rep := access.covers(rt, r); rep != nil {
		return *rep, struck
	}
	var rep oktaReply
	t.view(lag, func(d *oktaDirectory) { rep = rt.handle(d, r) })
	for _, f := range struck {
		f.spoilOkta(r, &rep)
		if f.BeforeAnswer != nil {
			f.BeforeAnswer()
		}
	}
	return rep, struck
}

// refused returns the answer where the rate limit or a missing permission forbids the route.
func (t *OktaTenant) refused(rt *oktaRoute) *oktaReply {
	t.state.Lock()
	defer t.state.Unlock()
	t.used++
	var rep oktaReply
	switch {
	case t.cfg.RateLimit > 0 && t.inWindow() > t.cfg.RateLimit:
		rep = Fault{Status: http.StatusTooManyRequests}.oktaFailure()
	case slices.ContainsFunc(rt.needs, func(p OktaPermission) bool { return t.lacks[p] }):
		rep = Fault{Status: http.StatusForbidden}.oktaFailure()
	case t.mappings != 0 && strings.Contains(rt.pattern, "/group-push/"):
		rep = Fault{Status: t.mappings}.oktaFailure()
	default:
		return nil
	}
	return &rep
}

// inWindow returns the requests of the current minute; the caller holds the state's lock.
func (t *OktaTenant) inWindow() int {
	if minute := t.cfg.Now().Truncate(time.Minute); !minute.Equal(t.window) {
		t.window, t.used = minute, 1
	}
	return t.used
}

// oktaFailure returns the error answer of the fault.
func (f Fault) oktaFailure() oktaReply {
	code, summary := "E0000009", "Internal Server Error"
	switch f.Status {
	case http.StatusServiceUnavailable:
		code, summary = "E0000010", "Service is in read only mode"
	case http.StatusBadRequest:
		code, summary = "E0000001", "Api validation failed"
	case http.StatusUnauthorized:
		code, summary = "E0000011", "Invalid token provided"
	case http.StatusForbidden:
		code, summary = "E0000006", "You do not have permission to perform the requested action"
	case http.StatusNotFound:
		code, summary = "E0000007", "Not found: Resource not found"
	case http.StatusTooManyRequests:
		code, summary = "E0000047", "API call exceeded rate limit due to too many requests."
	}
	return oktaError(f.Status, cmp.Or(f.Code, code), cmp.Or(f.Message, summary))
}

// send writes a reply with the headers that Okta adds, spoilt on the way if a fault says so.
func (t *OktaTenant) send(w http.ResponseWriter, r *request, rep oktaReply, struck []Fault) {
	h := w.Header()
	t.sign(h, rep, struck)
	if _, list := rep.body.([]object); list {
		self := r.base + r.path
		if q := r.query.Encode(); q != "" {
			self += "?" + q
		}
		h.Add("Link", "<"+self+`>; rel="self"`)
		if rep.next != "" {
			h.Add("Link", "<"+rep.next+`>; rel="next"`)
		}
	}
	if rep.challenge != "" {
		h.Set("WWW-Authenticate", rep.challenge)
	}
	body, err := encode(rep.body)
	if err != nil { // an answer is made of maps, slices and scalars
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "application/json")
	deliver(w, rep.status, body, struck, r.gone)
}

// sign sets the headers of every answer (page "Rate limits"), and the id of an error.
func (t *OktaTenant) sign(h http.Header, rep oktaReply, struck []Fault) {
	t.state.Lock()
	defer t.state.Unlock()
	t.reqs++
	now := t.cfg.Now().UTC()
	limit := cmp.Or(t.cfg.RateLimit, 600)
	remaining, reset := max(0, limit-t.inWindow()), t.window.Add(time.Minute).Unix()
	if t.cfg.RateLimit == 0 { // where nothing is refused, nothing runs out: clients heed what is left
		remaining = limit - 1
	}
	if rep.status == http.StatusTooManyRequests {
		remaining = 0
	}
	bare := false
	for _, f := range struck {
		bare = bare || f.Bare
		if s, err := strconv.Atoi(f.RetryAfter); err == nil && f.Status != 0 {
			reset = now.Unix() + int64(s)
		}
	}
	h.Set("Date", now.Format(http.TimeFormat))
	h.Set("X-Okta-Request-Id", fmt.Sprintf("sim%017d", t.reqs))
	if !bare {
		h.Set("X-Rate-Limit-Limit", strconv.Itoa(limit))
		h.Set("X-Rate-Limit-Remaining", strconv.Itoa(remaining))
		h.Set("X-Rate-Limit-Reset", strconv.FormatInt(reset, 10))
	}
	if body, ok := rep.body.(object); ok && body["errorCode"] != nil {
		body["errorId"] = fmt.Sprintf("oae%017d", t.reqs)
	}
}

// oktaList is a collection to be paged: sorted ids, and how to render one (nil: left out).
type oktaList struct {
	ids      []string
	get      func(id string) object
	standard int // page size without limit
	most     int
}

// page answers a collection (page "Pagination"): after is the id of the last entry that was given.
func (t *OktaTenant) page(r *request, l oktaList) oktaReply {
	limit, ok := t.limit(r, l.standard, l.most)
	if !ok {
		return oktaInvalid("limit: the limit must be a positive number")
	}
	start := 0
	if after := r.query.Get("after"); after != "" {
		var found bool
		if start, found = (&idset{l.ids}).find(after); found {
			start++
		}
		start = r.shifted(start, len(l.ids))
	}
	values := []object{}
	for i := start; i < len(l.ids); i++ {
		value := l.get(l.ids[i])
		if value == nil {
			continue
		}
		if len(values) == limit {
			return oktaReply{status: http.StatusOK, body: values, next: r.after(l.ids[i-1], limit)}
		}
		values = append(values, value)
	}
	return oktaReply{status: http.StatusOK, body: values}
}

// limit returns the page size that was asked for, within Okta's bound and the tenant's.
func (t *OktaTenant) limit(r *request, standard, most int) (int, bool) {
	n := standard
	if s := r.query.Get("limit"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			return 0, false
		}
	}
	if t.cfg.PageSize > 0 {
		most = min(most, t.cfg.PageSize)
	}
	return min(n, most), true
}

// after returns the URL of the page after an entry. It repeats what was asked, as Okta's does.
func (r *request) after(cursor string, limit int) string {
	q := url.Values{}
	for k, v := range r.query {
		q[k] = v
	}
	q.Set("after", cursor)
	q.Set("limit", strconv.Itoa(limit))
	return r.base + r.path + "?" + q.Encode()
}
