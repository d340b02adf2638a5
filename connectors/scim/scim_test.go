package scim_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/scim"
)

// TestContract runs the suite of all connectors against a SCIM server whose lists are read by index, and against one whose
// lists are read by cursor.
func TestContract(t *testing.T) {
	t.Parallel()
	for name, cursors := range map[string]bool{"by index": false, "by cursor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectortest.Run(t, func(t *testing.T, d connectortest.Directory) connectortest.Tenant {
				t.Helper()
				tenant := startTenant(t, d)
				if s, ok := tenant.(*server); ok {
					s.cursors = cursors
				}
				return tenant
			})
		})
	}
}

func twenty() connectortest.Directory {
	d := connectortest.Directory{Groups: []connectortest.Group{{Name: "Team", Assigned: true}}}
	for _, c := range "abcdefghijklmnopqrst" {
		d.People = append(d.People, connectortest.Person{UserName: string(c), Email: string(c) + "@contoso.example", Assigned: true})
	}
	d.Groups[0].Members = []string{"a", "b"}
	return d
}

// TestAListThatLacksSomebodyIsNotWhole: what a list lacks would count as gone.
func TestAListThatLacksSomebodyIsNotWhole(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r *http.Request, answer map[string]any){
		"the server gives fewer than it says there are": func(_ *http.Request, a map[string]any) {
			if _, list := a["Resources"]; list {
				a["totalResults"] = 500
			}
		},
		"somebody leaves while it is read by index, so that a page moves up": func(r *http.Request, a map[string]any) {
			if r.URL.Query().Get("startIndex") == "8" {
				a["totalResults"] = 19
			}
		},
		"a page without the total": func(_ *http.Request, a map[string]any) { delete(a, "totalResults") },
		"an empty page in the middle": func(r *http.Request, a map[string]any) {
			if r.URL.Query().Get("startIndex") == "8" {
				a["Resources"] = []any{}
			}
		},
		"somebody without an id": func(r *http.Request, a map[string]any) {
			if r.URL.Query().Get("startIndex") == "8" {
				a["Resources"] = []any{map[string]any{"userName": "x"}}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant, got := startTenant(t, twenty()), &connectortest.Recorder{}
			s, _ := tenant.(*server)
			s.edit = func(r *http.Request, a map[string]any) {
				if strings.HasSuffix(r.URL.Path, "/Users") {
					spoil(r, a)
				}
			}
			err := tenant.Open(t, connectortest.Access{}).Pull(t.Context(), got)
			if l, found := got.ListOf(connectors.Users, ""); err == nil && (!found || l.Whole || l.Err == "") {
				t.Errorf("the list is %+v, found %t", l, found)
			}
		})
	}
}

// TestNamesOfAttributesAreReadInAnyLetters: RFC 7643 section 2.1.
func TestNamesOfAttributesAreReadInAnyLetters(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/ServiceProviderConfig": `{}`,
		"/Users": `{"TotalResults":2,"resources":[
			{"ID":"1","UserName":"ada","Name":{"GivenName":"Ada"},"EMails":[{"Value":"a@x","Primary":true},{"Value":"b@x"}],"Active":"False",
			 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"Department":"R&D"}},
			{"id":"2","userName":"bob","name":null,"emails":null,"title":7}]}`,
		"/Groups":   `{"totalResults":1,"Resources":[{"id":"g","displayName":"Team"}]}`,
		"/Groups/g": `{"id":"g","Members":[{"Value":"1"},{"value":"h","$ref":"https://x.example/v2/Groups/h"},{"value":"2","type":"user"}]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(answers[r.URL.Path]))
	}))
	t.Cleanup(srv.Close)
	c, err := scim.Open(scim.Config{URL: srv.URL + "/", Token: token}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := &connectortest.Recorder{}
	if err := c.Pull(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	ada, _ := got.User("1")
	bob, _ := got.User("2")
	if ada.Enabled || ada.Attributes["userName"] != "ada" || ada.Attributes["name.givenName"] != "Ada" || ada.Attributes["email"] != "a@x" ||
		ada.Attributes["department"] != "R&D" {
		t.Errorf("ada is %+v", ada)
	}
	if !bob.Enabled || bob.Attributes["email"] != "" || bob.Attributes["title"] != "7" {
		t.Errorf("bob is %+v", bob)
	}
	if !slices.Equal(got.MembersOf("g"), []string{"1", "2"}) {
		t.Errorf("the members are %v", got.MembersOf("g"))
	}
}

// TestTheTokenStaysAtItsServer: nothing that an answer holds takes it elsewhere.
func TestTheTokenStaysAtItsServer(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked.Store(true) }))
	t.Cleanup(elsewhere.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	c, err := scim.Open(scim.Config{URL: srv.URL, Token: token}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Test(t.Context()); connectors.FaultOf(err) != connectors.Broken || strings.Contains(err.Error(), token) {
		t.Errorf("Test = %v", err)
	}
	if leaked.Load() {
		t.Error("the redirect was followed")
	}
}

// TestNobodyIsGoneBecauseTheURLIsWrong: a server that answers 404 to everything knows nobody's end.
func TestNobodyIsGoneBecauseTheURLIsWrong(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	c, err := scim.Open(scim.Config{URL: srv.URL, Token: token}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := c.Person(t.Context(), "1"); err == nil {
		t.Errorf("Person = %+v", p)
	}
	if team, err := c.Team(t.Context(), "1"); err == nil {
		t.Errorf("Team = %+v", team)
	}
}

func TestGroupsOfAPerson(t *testing.T) {
	t.Parallel()
	tenant := startTenant(t, twenty())
	c, err := scim.Open(scim.Config{URL: tenant.(*server).url, Token: token}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string][]string{"a": {tenant.ObjectID("Team")}, "c": {}} {
		if ids, err := c.GroupsOf(t.Context(), tenant.ObjectID(who)); err != nil || !slices.Equal(ids, want) {
			t.Errorf("GroupsOf(%s) = %v, %v, want %v", who, ids, err, want)
		}
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]scim.Config{
		"no url":                        {Token: token},
		"plain http to another machine": {URL: "http://scim.example.com", Token: token},
		"no token":                      {URL: "https://scim.example.com"},
		"a token with a line break":     {URL: "https://scim.example.com", Token: "abc\n"},
		"a negative limit":              {URL: "https://scim.example.com", Token: token, MaxCalls: -1},
	} {
		if _, err := scim.Open(cfg, nil, nil); err == nil || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
