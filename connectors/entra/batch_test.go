package entra_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/entra"
)

// batches answers POST /$batch from a table of paths (Graph documentation, "Combine multiple HTTP requests using JSON
// batching"), in an order of its own, and keeps what each batch asked for.
type batches struct {
	t      *testing.T
	items  map[string]http.HandlerFunc // by path; nil: the item is left unanswered
	before []http.HandlerFunc          // answers to the first batches as a whole

	mu   sync.Mutex
	sent [][]string // the addresses of the items of each batch
	at   []time.Time
}

func (b *batches) answer(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requests []struct {
			ID, Method, URL string
			Headers         map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != http.MethodPost || len(in.Requests) == 0 || len(in.Requests) > 20 {
		b.t.Errorf("%s of %d requests: %v", r.Method, len(in.Requests), err)
	}
	b.mu.Lock()
	n := len(b.sent)
	urls := []string{}
	for _, item := range in.Requests {
		urls = append(urls, item.URL)
	}
	b.sent, b.at = append(b.sent, urls), append(b.at, time.Now())
	b.mu.Unlock()
	if n < len(b.before) {
		b.before[n](w, r)
		return
	}
	responses := []object{}
	for _, item := range in.Requests {
		u, err := url.Parse(item.URL)
		if err != nil || item.Method != http.MethodGet || !strings.HasPrefix(item.URL, "/users/") {
			b.t.Errorf("item %+v: %v", item, err)
			continue
		}
		if looks := strings.HasSuffix(u.Path, "/appRoleAssignments"); looks != (item.Headers["ConsistencyLevel"] == "eventual") {
			b.t.Errorf("item %+v", item)
		}
		h := b.items[u.Path]
		if h == nil {
			continue
		}
		rec := httptest.NewRecorder()
		h(rec, httptest.NewRequest(http.MethodGet, item.URL, nil))
		headers := map[string]string{}
		for name := range rec.Header() {
			headers[name] = rec.Header().Get(name)
		}
		responses = append([]object{{"id": item.ID, "status": rec.Code, "headers": headers, "body": json.RawMessage(rec.Body.Bytes())}}, responses...)
	}
	one(object{"responses": responses})(w, r)
}

// newBatches answers for the first n people, each of whom is assigned.
func newBatches(t *testing.T, n int) (*batches, *entra.Connector, *fakeGraph) {
	t.Helper()
	b := &batches{t: t, items: map[string]http.HandlerFunc{}}
	routes := map[string]http.HandlerFunc{"/$batch": b.answer}
	for i := 1; i <= n; i++ {
		b.items["/users/"+id(i)] = one(user(i))
		b.items["/users/"+id(i)+"/appRoleAssignments"] = page(assigned("User", i))
		for path, h := range b.items {
			routes[path] = h
		}
	}
	_, f := newFake(t, routes)
	return b, assignedOnly(t, f), f
}

// assignedOnly opens a connector that does not ask for the job first.
func assignedOnly(t *testing.T, rt http.RoundTripper) *entra.Connector {
	t.Helper()
	c, err := entra.Open(entra.Config{GraphURL: fakeURL, AccessToken: fakeToken, ServicePrincipalID: appID, Scope: entra.ScopeAssigned},
		&http.Client{Transport: rt}, nil)
	must(t, err)
	return c
}

func ids(n int) (out []string) {
	for i := 1; i <= n; i++ {
		out = append(out, id(i))
	}
	return out
}

// Ten people are one request, and come to what Person says of each; every item counts as a call, as Graph counts it.
func TestPeopleAreReadTenAtOnce(t *testing.T) {
	t.Parallel()
	b, c, _ := newBatches(t, 12)
	b.items["/users/"+id(3)+"/appRoleAssignments"] = page(assigned("Group", 3))
	b.items["/users/"+id(4)+"/appRoleAssignments"] = page()
	budget := connectors.NewBudget(100)
	got, err := c.People(connectors.WithBudget(t.Context(), budget), append(ids(12), id(1), "not-an-id"))
	must(t, err)
	if len(got) != 12 || len(b.sent) != 2 || len(b.sent[0]) != 20 || len(b.sent[1]) != 4 || budget.Spent() != 24 {
		t.Fatalf("%d people by %d batches for %d calls", len(got), len(b.sent), budget.Spent())
	}
	if first := b.sent[0][0]; !strings.Contains(first, "?$select=") || !strings.Contains(b.sent[0][1], "$count=true") {
		t.Errorf("asked for %q, %q", first, b.sent[0][1])
	}
	for i := 1; i <= 12; i++ {
		_, f := newFake(t, map[string]http.HandlerFunc{
			"/users/" + id(i): b.items["/users/"+id(i)], "/users/" + id(i) + "/appRoleAssignments": b.items["/users/"+id(i)+"/appRoleAssignments"],
		})
		want, err := assignedOnly(t, f).Person(t.Context(), id(i))
		must(t, err)
		if !reflect.DeepEqual(got[id(i)], want) || len(f.seen) != 2 {
			t.Errorf("%d: got %+v, want %+v", i, got[id(i)], want)
		}
	}
}

// What becomes of an item is that person's alone: a throttled one is asked for again after its own wait, one that is
// missing is not known, and of one that fails nothing is said.
func TestPartsOfABatch(t *testing.T) {
	t.Parallel()
	const two = "/users/22222222-2222-4222-8222-000000000002"
	once := func(first, then http.HandlerFunc) http.HandlerFunc {
		n := 0
		return func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				first(w, r)
				return
			}
			then(w, r)
		}
	}
	for name, tc := range map[string]struct {
		path   string
		answer http.HandlerFunc
		known  string // what is said of the second: "", nothing; gone; there
		sent   []int  // how many items each batch had
		waits  time.Duration
	}{
		"throttled once":        {two, once(throttled(429, "3"), one(user(2))), "there", []int{6, 1}, 3 * time.Second},
		"unavailable once":      {two + "/appRoleAssignments", once(throttled(503, ""), page(assigned("User", 2))), "there", []int{6, 1}, 500 * time.Millisecond},
		"throttled for ever":    {two, throttled(429, "1"), "", []int{6, 1, 1, 1, 1, 1}, time.Second},
		"told to wait too long": {two, throttled(429, "3600"), "", []int{6}, 0},
		"missing":               {two, reply(404, `{"error":{"code":"Request_ResourceNotFound","message":"gone"}}`), "gone", []int{6}, 0},
		"deleted in between":    {two + "/appRoleAssignments", reply(404, `{}`), "gone", []int{6}, 0},
		"failing":               {two, reply(500, `"no JSON object"`), "", []int{6}, 0},
		"no list":               {two + "/appRoleAssignments", reply(200, `{"error":1}`), "", []int{6}, 0},
		"another form":          {two, reply(200, `[1]`), "", []int{6}, 0},
		"unanswered":            {two, nil, "", []int{6}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, c, f := newBatches(t, 3)
				b.items[tc.path] = tc.answer
				budget := connectors.NewBudget(100)
				got, err := c.People(connectors.WithBudget(t.Context(), budget), ids(3))
				must(t, err)
				var sent []int
				calls := 0
				for _, items := range b.sent {
					sent, calls = append(sent, len(items)), calls+len(items)
				}
				p, read := got[id(2)]
				if read != (tc.known != "") || (p.User != nil) != (tc.known == "there") || p.InScope != (tc.known == "there") {
					t.Errorf("of the second is said %+v, %t", p, read)
				}
				if got[id(1)].User == nil || !got[id(3)].InScope {
					t.Errorf("of the others is said %+v", got)
				}
				calls += len(f.seen) - len(b.sent) // whether somebody was deleted is asked for alone
				if !reflect.DeepEqual(sent, tc.sent) || budget.Spent() != calls {
					t.Errorf("batches of %v, want %v; %d calls of %d", sent, tc.sent, budget.Spent(), calls)
				}
				if len(b.at) > 1 {
					if waited := b.at[1].Sub(b.at[0]); waited < tc.waits || waited > tc.waits+time.Second {
						t.Errorf("waited for %s, want %s", waited, tc.waits)
					}
				}
			})
		})
	}
}

// Where everybody is in scope, assignments are not asked for.
func TestPeopleOfATenantThatIsSyncedWhole(t *testing.T) {
	t.Parallel()
	b, _, f := newBatches(t, 2)
	c, err := entra.Open(entra.Config{
		GraphURL: fakeURL, AccessToken: fakeToken, ServicePrincipalID: appID, Scope: entra.ScopeAssigned, SyncAll: true,
	}, &http.Client{Transport: f}, nil)
	must(t, err)
	got, err := c.People(t.Context(), ids(2))
	must(t, err)
	if len(b.sent[0]) != 2 || !got[id(1)].InScope || !got[id(2)].InScope {
		t.Errorf("got %+v by %v", got, b.sent)
	}
}

// A refusal is everybody's: it is said as Person says it, with the permission to grant.
func TestRefusedPartOfABatch(t *testing.T) {
	t.Parallel()
	b, c, _ := newBatches(t, 3)
	b.items["/users/"+id(2)+"/appRoleAssignments"] = reply(403, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`)
	_, err := c.People(t.Context(), ids(3))
	if connectors.FaultOf(err) != connectors.MissingPermission || !strings.Contains(err.Error(), "Directory.Read.All") || !strings.Contains(err.Error(), "Authorization_RequestDenied") {
		t.Errorf("People = %v", err)
	}
}

// A batch of reads is sent again like any read, with its whole body, and counted anew; a refusal of it is said.
func TestBatchItselfIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, _ := newBatches(t, 3)
		b.before = []http.HandlerFunc{throttled(429, "7"), reply(502, ``)}
		budget := connectors.NewBudget(100)
		got, err := c.People(connectors.WithBudget(t.Context(), budget), ids(3))
		must(t, err)
		if len(got) != 3 || len(b.sent) != 3 || len(b.sent[2]) != 6 || budget.Spent() != 18 || b.at[1].Sub(b.at[0]) < 7*time.Second {
			t.Errorf("%d people, %v, %d calls", len(got), b.sent, budget.Spent())
		}
	})
	b, c, _ := newBatches(t, 1)
	b.before = []http.HandlerFunc{reply(401, `{"error":{"code":"InvalidAuthenticationToken","message":"expired"}}`)}
	if _, err := c.People(t.Context(), ids(1)); connectors.FaultOf(err) != connectors.BadCredentials || len(b.sent) != 1 {
		t.Errorf("People = %v", err)
	}
}

// What the budget does not cover is not sent; what was read before is handed over.
func TestPeopleKeepToTheBudget(t *testing.T) {
	t.Parallel()
	b, c, _ := newBatches(t, 12)
	got, err := c.People(connectors.WithBudget(t.Context(), connectors.NewBudget(21)), ids(12))
	if connectors.FaultOf(err) != connectors.OverBudget || len(b.sent) != 1 || len(got) != 10 {
		t.Errorf("%d people, %d batches, %v", len(got), len(b.sent), err)
	}
}

// A list of assignments that goes on is read to its end.
func TestPartsThatGoOn(t *testing.T) {
	t.Parallel()
	b, c, f := newBatches(t, 1)
	path := "/users/" + id(1) + "/appRoleAssignments"
	other := assigned("Group", 9)
	other["resourceId"] = id(99)
	b.items[path] = list(fakeURL+"/v1.0"+path+"?$skiptoken=two", []object{other})
	f.routes[path+"#two"] = page(assigned("Group", 9))
	got, err := c.People(t.Context(), ids(1))
	must(t, err)
	if p := got[id(1)]; !p.InScope || !strings.Contains(p.User.Scope, "Group 9") {
		t.Errorf("got %+v", p)
	}
	b.items[path] = list("https://elsewhere.example/v1.0"+path, []object{other})
	if got, err = c.People(t.Context(), ids(1)); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPeopleEndWithTheContext(t *testing.T) {
	t.Parallel()
	b, c, _ := newBatches(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	b.items["/users/"+id(1)] = func(w http.ResponseWriter, r *http.Request) { cancel(); throttled(429, "60")(w, r) }
	if _, err := c.People(ctx, ids(2)); err == nil || !strings.Contains(fmt.Sprint(err), context.Canceled.Error()) {
		t.Errorf("People = %v", err)
	}
}
