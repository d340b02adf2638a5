package entra_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/connectors/entra"
)

const (
	fakeURL   = "http://127.0.0.1:8099"
	fakeToken = "fake-token"
	appID     = "11111111-1111-4111-8111-111111111111"
)

// fakeGraph answers from a table, in the process. Keys are paths below /v1.0, with the $skiptoken after a # if there is
// one. Every request must carry the token.
type fakeGraph struct {
	t      *testing.T
	routes map[string]http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
}

// RoundTrip answers a request.
func (f *fakeGraph) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.seen = append(f.seen, req)
	f.mu.Unlock()
	if req.URL.Host != "127.0.0.1:8099" || req.Header.Get("Authorization") != "Bearer "+fakeToken {
		f.t.Errorf("request to %s with Authorization %q", req.URL, req.Header.Get("Authorization"))
	}
	key := strings.TrimPrefix(req.URL.Path, "/v1.0")
	if token := req.URL.Query().Get("$skiptoken"); token != "" {
		key += "#" + token
	}
	w := httptest.NewRecorder()
	if h := f.routes[key]; h != nil {
		h(w, req)
	} else {
		reply(http.StatusNotFound, `{"error":{"code":"Request_ResourceNotFound","message":"no route"}}`)(w, req)
	}
	return w.Result(), nil
}

// requests returns the paths asked for that begin so, with the query where asked.
func (f *fakeGraph) requests(prefix string) []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*http.Request
	for _, r := range f.seen {
		if strings.HasPrefix(r.URL.Path, "/v1.0"+prefix) {
			out = append(out, r)
		}
	}
	return out
}

// newFake returns a connector on a fake that knows the routes, and nobody assigned otherwise.
func newFake(t *testing.T, routes map[string]http.HandlerFunc) (*entra.Connector, *fakeGraph) {
	t.Helper()
	f := &fakeGraph{t: t, routes: map[string]http.HandlerFunc{assignedTo: page()}}
	for k, v := range routes {
		f.routes[k] = v
	}
	return openOn(t, f), f
}

// openOn opens a connector that asks for no more than a pull by assignments needs.
func openOn(t *testing.T, rt http.RoundTripper) *entra.Connector {
	t.Helper()
	c, err := entra.Open(entra.Config{
		GraphURL: fakeURL, AccessToken: fakeToken, ServicePrincipalID: appID, Scope: entra.ScopeAssigned,
	}, &http.Client{Transport: rt}, nil)
	must(t, err)
	return c
}

const assignedTo = "/servicePrincipals/" + appID + "/appRoleAssignedTo"

// id returns the n-th object id.
func id(n int) string { return fmt.Sprintf("22222222-2222-4222-8222-%012d", n) }

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

type object = map[string]any

func list(next string, items []object) http.HandlerFunc {
	if items == nil {
		items = []object{}
	}
	body := object{"value": items}
	if next != "" {
		body["@odata.nextLink"] = next
	}
	return one(body)
}

func page(items ...object) http.HandlerFunc { return list("", items) }

func one(o object) http.HandlerFunc {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return reply(http.StatusOK, string(raw))
}

func user(n int) object {
	return object{"id": id(n), "accountEnabled": true, "userPrincipalName": fmt.Sprintf("user%d@contoso.example", n)}
}

func assigned(kind string, n int) object {
	return object{
		"id": fmt.Sprintf("assignment-%d", n), "principalId": id(n), "principalType": kind,
		"principalDisplayName": fmt.Sprintf("%s %d", kind, n), "resourceId": appID,
	}
}

func groupOf(n int) object { return object{"id": id(n), "displayName": fmt.Sprintf("Group %d", n)} }
