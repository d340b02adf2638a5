package idpsim

import (
	"math/rand/v2"
	"slices"
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
	// any rest, "" is every path of the API. A cast is left out: "/groups/*/members" is also for
	// /groups/{id}/members/graph.user. Entra's token endpoint and /$batch itself are struck only by a rule with a path:
	// "/oauth2/v2.0/token", "/$batch" or "/**".
	Path     string
	Query    string // must be part of the unescaped query: "$skiptoken" or "after=" picks pages after the first
	Eventual bool   // only requests with ConsistencyLevel: eventual
	Skip     int
	Count    int     // 0 strikes without end
	Every    int     // 0 and 1 strike at each request
	Chance   float64 // above 0: strikes only with this probability, drawn from the tenant's seed

	Status  int // answer this status with the vendor's error body
	Code    string
	Message string
	// RetryAfter is in seconds: Entra's Retry-After header as it is to be sent. Okta has no such header: it is how far off
	// X-Rate-Limit-Reset is, the end of the minute when empty.
	RetryAfter string
	Bare       bool // Okta: leave out the X-Rate-Limit headers, as its gateway does

	Drop         bool   // close the connection without an answer
	Reset        bool   // reset the connection (TCP RST) without an answer
	Hang         bool   // answer nothing until the client has given up
	Truncate     bool   // break off in the middle of the body
	HTML         bool   // answer the HTML page of a proxy on the way, with Status or 200
	ContentType  string // say that the body is of this type
	Empty        bool   // answer a list that is empty and has no next link
	Blank        bool   // answer an empty page that links to the page that was asked for
	DropNextLink bool   // answer a page as if it were the last
	RepeatLink   bool   // link a page to itself where there would be a next link
	NextLink     string // answer this next link where there would be one
	// Shift moves where a page after the first begins, as entries that come or go while a client pages do: at -1 the last
	// entry of the page before comes again, at 1 one entry is on no page.
	Shift int
	// Expired answers a request that goes on by a token as if the token had expired, a delta query's in the way of Expiry.
	Expired bool
	Expiry  DeltaExpiry
	Lag     int // answer from the directory as it was this many changes ago

	Delay        time.Duration
	Drip         time.Duration // send the body in pieces, with this pause before each
	BeforeRead   func()        // called before the directory is read
	BeforeAnswer func()        // called after the directory was read, before the answer is sent
}

type injected struct {
	Fault
	id           string
	rule         Rule // as it was written down, where it was
	rng          *rand.Rand
	seen, struck int
}

type faults struct {
	mu    sync.Mutex
	seed  int64
	added uint64
	rules []*injected
}

// Inject adds a fault and returns what takes it away again.
func (t *Tenant) Inject(f Fault) (remove func()) { return t.faults.inject(f) }

// ClearFaults takes every fault away.
func (t *Tenant) ClearFaults() { t.faults.clear() }

func (f *faults) inject(fault Fault) (remove func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rule := f.add(fault)
	return func() { f.drop(func(r *injected) bool { return r == rule }) }
}

// add appends a rule, which draws from a sequence of its own: what strikes one doesn't depend on the others. The caller
// holds the lock.
func (f *faults) add(fault Fault) *injected {
	f.added++
	rule := &injected{Fault: fault, rng: rand.New(rand.NewPCG(uint64(f.seed), f.added))} //nolint:gosec // any bits make a seed
	f.rules = append(f.rules, rule)
	return rule
}

// drop takes away the rules that are picked, and says whether there was one.
func (f *faults) drop(picked func(r *injected) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.rules)
	f.rules = slices.DeleteFunc(slices.Clone(f.rules), picked)
	return len(f.rules) < before
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.added = nil, 0
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
		if rule.Chance > 0 && rule.rng.Float64() >= rule.Chance {
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
	if (f.Expired || f.Shift != 0) && !r.goesOn() || f.Path == "" && r.outer {
		return false
	}
	if f.Query != "" && !strings.Contains(unescapedQuery(r), f.Query) {
		return false
	}
	path := strings.TrimPrefix(strings.TrimPrefix(f.Path, "/v1.0"), "/api/v1")
	return f.Path == "" || matchPath(path, r.path)
}

// goesOn says whether a request names a page or a round by the token of an earlier answer.
func (r *request) goesOn() bool {
	for _, p := range []string{"$skiptoken", "$deltatoken", "after"} {
		if v := r.query.Get(p); v != "" && v != "latest" {
			return true
		}
	}
	return false
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
	plain := func(p string) []string { return segments(strings.TrimSuffix(uncast(p), "()")) } // delta() is delta
	want, got := plain(pattern), plain(path)
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
