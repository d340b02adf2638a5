package okta_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/connectors/okta"
)

const (
	orgURL    = "http://127.0.0.1:8098"
	fakeToken = "00fake-token"
	appID     = "0oaFakeApplication00"

	appUsers  = "/apps/" + appID + "/users"
	appGroups = "/apps/" + appID + "/groups"
	mappings  = "/apps/" + appID + "/group-push/mappings"
)

// fakeOrg answers from a table, in the process. Keys are paths below /api/v1, with the parameter after behind a # if there
// is one. Every request must carry the token.
type fakeOrg struct {
	t      *testing.T
	routes map[string]http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
}

// RoundTrip answers a request.
func (f *fakeOrg) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.seen = append(f.seen, req)
	f.mu.Unlock()
	if req.URL.Host != "127.0.0.1:8098" || req.Header.Get("Authorization") != "SSWS "+fakeToken {
		f.t.Errorf("request to %s with Authorization %q", req.URL, req.Header.Get("Authorization"))
	}
	key := strings.TrimPrefix(req.URL.Path, "/api/v1")
	if after := req.URL.Query().Get("after"); after != "" {
		key += "#" + after
	}
	w := httptest.NewRecorder()
	if h := f.routes[key]; h != nil {
		h(w, req)
	} else {
		refuse(http.StatusNotFound, "E0000007", "Not found: Resource not found: "+key)(w, req)
	}
	return w.Result(), nil
}

// requests returns the queries of the requests for a path.
func (f *fakeOrg) requests(path string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.seen {
		if r.URL.Path == "/api/v1"+path {
			out = append(out, r.URL.RawQuery)
		}
	}
	return out
}

// newFake returns a connector on a fake that knows the routes, and an application without users and groups otherwise.
func newFake(t *testing.T, routes map[string]http.HandlerFunc, edit ...func(*okta.Config)) (*okta.Connector, *fakeOrg) {
	t.Helper()
	f := &fakeOrg{t: t, routes: map[string]http.HandlerFunc{appUsers: list(), mappings: list()}}
	for k, v := range routes {
		f.routes[k] = v
	}
	return openOn(t, f, edit...), f
}

func openOn(t *testing.T, rt http.RoundTripper, edit ...func(*okta.Config)) *okta.Connector {
	t.Helper()
	cfg := okta.Config{OrgURL: orgURL, AppID: appID, APIToken: fakeToken}
	for _, e := range edit {
		e(&cfg)
	}
	c, err := okta.Open(cfg, &http.Client{Transport: rt}, nil)
	must(t, err)
	return c
}

func teams(mode string) func(*okta.Config) { return func(c *okta.Config) { c.Teams = mode } }

// id returns the n-th id of a kind.
func id(prefix string, n int) string { return fmt.Sprintf("%s%017d", prefix, n) }

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func refuse(status int, code, summary string) http.HandlerFunc {
	return one(status, object{"errorCode": code, "errorSummary": summary, "errorId": "oae1", "errorCauses": []object{}})
}

type object = map[string]any

func list(items ...object) http.HandlerFunc {
	if items == nil {
		items = []object{}
	}
	return one(http.StatusOK, items)
}

// linked adds Link headers to an answer.
func linked(h http.HandlerFunc, links ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Link"] = links
		h(w, r)
	}
}

// next is a Link header to a page of a path.
func next(path, after string) string {
	return fmt.Sprintf(`<%s/api/v1%s?after=%s>; rel="next"`, orgURL, path, after)
}

func one(status int, o any) http.HandlerFunc {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return reply(status, string(raw))
}

func ok(o any) http.HandlerFunc { return one(http.StatusOK, o) }

func orgUser(n int, status string) object {
	return object{"id": id("00u", n), "status": status, "profile": object{
		"login": fmt.Sprintf("login%d@initech.example", n), "email": fmt.Sprintf("org%d@initech.example", n),
		"firstName": "Peter", "lastName": "Gibbons",
	}}
}

func appUser(n int, status, appStatus string) object {
	return object{
		"id": id("00u", n), "status": appStatus, "scope": "USER", "externalId": fmt.Sprintf("ours-%d", n),
		"credentials": object{"userName": fmt.Sprintf("user%d@initech.example", n)},
		"profile": object{
			"email": fmt.Sprintf("app%d@initech.example", n), "givenName": "Pete", "familyName": "Gibbons", "displayName": "Pete G.",
		},
		"_embedded": object{"user": orgUser(n, status)},
	}
}

func active(n int) object { return appUser(n, "ACTIVE", "PROVISIONED") }

func group(n int) object {
	return object{"id": id("00g", n), "type": "OKTA_GROUP", "profile": object{"name": fmt.Sprintf("Group %d", n)}}
}

func mapping(n int, status string) object {
	return object{"id": id("gPm", n), "sourceGroupId": id("00g", n), "targetGroupId": id("00g", 1000+n), "status": status}
}
