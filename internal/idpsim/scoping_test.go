package idpsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
)

func department(s *idpsim.Schema, name string) {
	s.Users.Scope = []idpsim.ScopeGroup{{Name: name, Clauses: []idpsim.ScopeClause{{Attribute: "department", Operator: "EQUALS", Values: []string{name}}}}}
}

// The push engine follows the scoping filters and the portal's "Scope", and looks at everything again when one is changed.
func TestThePushEngineFollowsTheJobsScope(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 5, Members: 12, Groups: 2}, idpsim.PushConfig{})
	for i, u := range b.Users() {
		b.must(b.UpdateUser(u.ObjectID, func(u *idpsim.User) { u.Department = []string{"Sales", "Legal"}[i%2] }))
	}
	all := len(b.Desired())
	for what, set := range []func(){
		func() { b.EditSchema(func(s *idpsim.Schema) { department(s, "Sales") }) },
		func() { b.EditSchema(func(s *idpsim.Schema) { department(s, "Legal") }) },
		func() { b.SyncAll(true) },
		func() { b.EditSchema(func(s *idpsim.Schema) { s.Users.Scope = nil }) },
		func() {
			b.EditSchema(func(s *idpsim.Schema) {
				s.Groups.Scope = []idpsim.ScopeGroup{{Clauses: []idpsim.ScopeClause{{Attribute: "displayName", Operator: "IS NULL"}}}}
			})
		},
	} {
		set()
		s := b.cycle()
		if !b.same() || !s.Initial {
			t.Errorf("change %d: %+v, people %v", what, s, b.scim.people())
		}
		if s := b.cycle(); s.Requests != 0 || s.Initial {
			t.Errorf("change %d, a second cycle: %+v", what, s)
		}
	}
	if len(b.Desired()) <= all || len(b.scim.teams()) != 0 {
		t.Errorf("%d desired of the whole tenant, %d assigned; teams %v", len(b.Desired()), all, b.scim.teams())
	}
}

// SkipOutOfScopeDeletions: who leaves keeps their account, who is switched off or deleted doesn't.
func TestThePushEngineLeavesWhoLeftAlone(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 5, Members: 6, Disabled: -1, Outsiders: -1}, idpsim.PushConfig{})
	b.SkipOutOfScopeDeletions(true)
	b.cycle()
	people := b.Desired()
	b.must(b.Unassign(people[0].ObjectID), b.DisableUser(people[1].ObjectID), b.DeleteUser(people[2].ObjectID))
	s := b.cycle()
	want := []string{people[0].UserPrincipalName, people[3].UserPrincipalName, people[4].UserPrincipalName, people[5].UserPrincipalName}
	slices.Sort(want)
	if got := b.scim.people(); !slices.Equal(got, want) || s.Skipped != 1 {
		t.Errorf("%v, want %v: %+v", got, want, s)
	}
	b.must(b.DisableUser(people[0].ObjectID))
	if b.cycle(); slices.Contains(b.scim.people(), people[0].UserPrincipalName) {
		t.Error("they are switched off, and keep their account")
	}
}

// Graph shows the two settings among the job's secrets, whose values it masks, and takes them from there.
func TestTheSettingsAreAmongTheSecrets(t *testing.T) {
	tenant := idpsim.New(idpsim.Config{Seed: 1, Members: 2})
	ask := func(method, body string) (int, string) {
		req := httptest.NewRequest(method, "/v1.0/servicePrincipals/"+tenant.ServicePrincipalID()+"/synchronization/secrets", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+tenant.AccessToken())
		w := httptest.NewRecorder()
		tenant.ServeHTTP(w, req)
		raw, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, string(raw)
	}
	if status, body := ask(http.MethodPut, `{"value":[{"key":"SyncAll","value":"true"},{"key":"SkipOutOfScopeDeletions","value":"True"},{"key":"SecretToken","value":"x"}]}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	status, body := ask(http.MethodGet, "")
	var got struct{ Value []struct{ Key, Value string } }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	values := map[string]string{}
	for _, v := range got.Value {
		values[v.Key] = v.Value
	}
	if values["SyncAll"] != "true" || values["SkipOutOfScopeDeletions"] != "True" || values["SecretToken"] != "*" {
		t.Errorf("%v", values)
	}
	tenant.Deny(idpsim.SynchronizationReadAll)
	if status, _ := ask(http.MethodGet, ""); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
}
