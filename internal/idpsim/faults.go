package idpsim

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is a rule by which a tenant misbehaves, a Tenant or an OktaTenant. Which requests it is for is said by Method,
// Path, Query and Eventual; of those it lets Skip pass, and then strikes Count times, at every Every-th request. Rules
// count for themselves and apply in the order in which they were injected: all hooks run, the first that fails a request
// decides how.
type Fault struct {
	Method string // "" is any
	// Path is matched below /v1.0 or /api/v1, segment by segment: "*" (or any "{name}") is one segment, "**" at the end is
	// any rest, "" is every path. A cast is left out: "/groups/*/members" is also for /groups/{id}/members/graph.user.
	Path     string
	Query    string // must be part of the unescaped query: "$skiptoken" or "after=" picks pages after the first
	Eventual bool   // only requests with ConsistencyLevel: eventual
	Skip     int
	Count    int // 0 strikes without end
	Every    int // 0 and 1 strike at each request

	Status  int // answer this status with the vendor's error body
	Code    string
	Message string
	// RetryAfter is in seconds: Entra's Retry-After header as it is to be sent. Okta has no such header: it is how far off
	// X-Rate-Limit-Reset is, the end of the minute when empty.
	RetryAfter string
	Bare       bool // Okta: leave out the X-Rate-Limit headers, as its gateway does

	Drop         bool   // close the connection without an answer
	Truncate     bool   // break off in the middle of the body
	Empty        bool   // answer a list that is empty and has no next link
	DropNextLink bool   // answer a page as if it were the last
	NextLink     string // answer this next link where there would be one
	Lag          int    // answer from the directory as it was this many changes ago

	Delay        time.Duration
	BeforeRead   func() // called before the directory is read
	BeforeAnswer func() // called after the directory was read, before the answer is sent
}

type injected struct {
	Fault
	seen, struck int
}

type faults struct {
	mu    sync.Mutex
	rules []*injected
}

// Inject adds a fault and returns what takes it away again.
func (t *Tenant) Inject(f Fault) (remove func()) { return t.faults.inject(f) }

// ClearFaults takes every fault away.
func (t *Tenant) ClearFaults() { t.faults.clear() }

func (f *faults) inject(fault Fault) (remove func()) {
	rule := &injected{Fault: fault}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, rule)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		kept := make([]*injected, 0, len(f.rules))
		for _, r := range f.rules {
			if r != rule {
				kept = append(kept, r)
			}
		}
		f.rules = kept
	}
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// strikes returns the faults that r meets.
func (f *faults) strikes(r *request) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Fault
	for _, rule := range f.rules {
		if !rule.picks(r) {
			continue
		}
		rule.seen++
		n := rule.seen - rule.Skip
		if n <= 0 || (n-1)%max(rule.Every, 1) != 0 || rule.Count > 0 && rule.struck >= rule.Count {
			continue
		}
		rule.struck++
		out = append(out, rule.Fault)
	}
	return out
}

func (f *injected) picks(r *request) bool {
	if f.Method != "" && f.Method != r.method || f.Eventual && !r.eventual() {
		return false
	}
	if f.Query != "" && !strings.Contains(unescapedQuery(r), f.Query) {
		return false
	}
	path := strings.TrimPrefix(strings.TrimPrefix(f.Path, "/v1.0"), "/api/v1")
	return f.Path == "" || matchPath(path, r.path)
}

func unescapedQuery(r *request) string {
	var parts []string
	for k, vs := range r.query {
		for _, v := range vs {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, "&")
}

func matchPath(pattern, path string) bool {
	want, got := segments(uncast(pattern)), segments(uncast(path))
	for i, w := range want {
		if w == "**" {
			return true
		}
		if i >= len(got) || w != got[i] && w != "*" && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return len(want) == len(got)
}

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// uncast leaves out an OData cast at the end of a path, in either spelling.
func uncast(path string) string {
	for _, typ := range []string{"user", "group"} {
		path = strings.TrimSuffix(strings.TrimSuffix(path, "/graph."+typ), "/microsoft.graph."+typ)
	}
	return path
}

// failure returns the error answer of the fault, or nil where it has none.
func (f Fault) failure() *reply {
	if f.Status == 0 {
		return nil
	}
	code, message := "UnknownError", ""
	switch f.Status {
	case http.StatusTooManyRequests:
		code, message = "TooManyRequests", "Too many requests"
	case http.StatusServiceUnavailable:
		code, message = "serviceNotAvailable", "The service is temporarily unavailable."
	case http.StatusInternalServerError:
		code, message = "InternalServerError", "An internal server error occurred."
	case http.StatusForbidden:
		code, message = "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
	case http.StatusUnauthorized:
		code, message = "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	}
	rep := fail(f.Status, cmp.Or(f.Code, code), cmp.Or(f.Message, message))
	if f.RetryAfter != "" {
		rep.header = map[string]string{"Retry-After": f.RetryAfter}
	}
	return &rep
}

// spoil alters a good answer.
func (f Fault) spoil(rep reply) {
	if rep.body == nil {
		return
	}
	if _, ok := rep.body["value"]; ok && f.Empty {
		rep.body["value"] = []object{}
		delete(rep.body, "@odata.nextLink")
	}
	if f.DropNextLink {
		delete(rep.body, "@odata.nextLink")
	}
	if _, ok := rep.body["@odata.nextLink"]; ok && f.NextLink != "" {
		rep.body["@odata.nextLink"] = f.NextLink
	}
}

// counter counts requests by route.
type counter struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counter) add(route string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[route]++
}

// Requests returns how often each route was asked for since New or the last ResetRequests, refused requests included.
// Routes are named like "GET /groups/{id}/members"; casts count for the route they cast, the items of a $batch for their
// own routes. What no route serves is counted under "unknown", requests for tokens under "POST token".
func (t *Tenant) Requests() map[string]int { return t.counts.all() }

// ResetRequests sets the counts back to zero.
func (t *Tenant) ResetRequests() { t.counts.reset() }

func (c *counter) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.by))
	for k, v := range c.by {
		out[k] = v
	}
	return out
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = nil
}
