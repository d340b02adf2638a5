package scim_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/scim"
	"github.com/rosterd/rosterd/internal/mapping"
)

// TestEveryAttributeThatAMappingMayReadIsRead: of a user who has all of them, and no other comes.
func TestEveryAttributeThatAMappingMayReadIsRead(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/Users": `{"totalResults":1,"Resources":[{"id":"1","userName":"v","externalId":"v","displayName":"v","nickName":"v","title":"v",
			"userType":"v","preferredLanguage":"v","locale":"v","timezone":"v","profileUrl":"v","password":"v","emails":[{"value":"v"}],
			"name":{"formatted":"v","givenName":"v","familyName":"v","middleName":"v","honorificPrefix":"v"},
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"v","costCenter":"v","organization":"v",
			"division":"v","department":"v","manager":{"value":"v"}}}]}`,
		"/Groups": `{"totalResults":0,"Resources":[]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(answers[r.URL.Path])) }))
	t.Cleanup(srv.Close)
	c, err := scim.Open(scim.Config{URL: srv.URL, Token: token}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := &connectortest.Recorder{}
	if err := c.Pull(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	u, _ := got.User("1")
	names := slices.Sorted(maps.Keys(u.Attributes))
	known := slices.DeleteFunc(mapping.SCIMSources(), func(n string) bool { return n == mapping.ObjectID })
	slices.Sort(known)
	if !slices.Equal(names, known) {
		t.Errorf("read  %v\nknown %v", names, known)
	}
}
