package entra_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/internal/mapping"
)

// What Graph answers is of the shape that its documentation gives for "Get a user" and the "user resource type".
func TestOnlyWhatTheMappingNeedsIsSelected(t *testing.T) {
	m := mapping.Entra()
	for target, source := range map[string]string{
		"title": `= Join(" ", onPremisesExtensionAttributes.extensionAttribute3, employeeType)`, "nickName": "onPremisesExtensionAttributes.extensionAttribute12",
	} {
		if err := m.Write(target, source); err != nil {
			t.Fatal(err)
		}
	}
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/appRoleAssignments") {
			_, _ = w.Write([]byte(`{"value":[]}`))
			return
		}
		asked = r.URL.Query().Get("$select")
		_, _ = w.Write([]byte(`{"id":"11111111-1111-1111-1111-111111111111","accountEnabled":true,"userPrincipalName":"a@x.com","employeeType":"clerk",
			"onPremisesExtensionAttributes":{"extensionAttribute3":"third","extensionAttribute12":"twelfth"}}`))
	}))
	t.Cleanup(srv.Close)
	c, err := entra.Open(entra.Config{
		GraphURL: srv.URL, AccessToken: "x", ServicePrincipalID: "22222222-2222-2222-2222-222222222222", Attributes: m.Sources(),
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Person(t.Context(), "11111111-1111-1111-1111-111111111111")
	if err != nil || p.User == nil {
		t.Fatalf("got %+v, %v", p, err)
	}
	got := strings.Split(asked, ",")
	slices.Sort(got)
	want := "accountEnabled displayName employeeType givenName id mail onPremisesExtensionAttributes surname userPrincipalName"
	if strings.Join(got, " ") != want {
		t.Errorf("asked for %v", got)
	}
	if w := m.ToMember(p.User, 0); w.Values["title"] != "third clerk" || w.Values["nickName"] != "twelfth" {
		t.Errorf("got %v", w.Values)
	}
}

func TestEveryAttributeThatAMappingMayReadIsKnown(t *testing.T) {
	names := slices.DeleteFunc(mapping.EntraSources(), func(n string) bool { return n == mapping.ObjectID })
	cfg := entra.Config{GraphURL: "http://127.0.0.1:1", AccessToken: "x", ServicePrincipalID: "22222222-2222-2222-2222-222222222222", Attributes: names}
	if _, err := entra.Open(cfg, nil, nil); err != nil {
		t.Error(err)
	}
}
