package mapping_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestEachLineOfAMappingIsExplainedAsItIsWorkedOut(t *testing.T) {
	m := mapping.Entra()
	for target, source := range map[string]string{
		roster.AttrDisplayName: "= Join(\" \", givenName, surname)", "title": "= Mid(jobTitle, InStr(jobTitle, \"#\"), 1)", roster.AttrExternalID: mapping.ObjectID,
		roster.AttrFamilyName: mapping.None,
	} {
		if err := m.Write(target, source); err != nil {
			t.Fatal(err)
		}
	}
	u := &connectors.User{ObjectID: "o1", Attributes: map[string]string{
		"userPrincipalName": "ada@x\x00", "givenName": "Ada", "surname": "Lovelace", "jobTitle": "Analyst", "city": "London"}}
	wanted := m.ToMember(u, 0)
	var targets []string
	for _, x := range m.Explain(u) {
		targets = append(targets, x.Target)
		if x.Source != m.Member[x.Target] || x.Value != wanted.Values[x.Target] {
			t.Errorf("%+v, and a run takes %q", x, wanted.Values[x.Target])
		}
		if (x.Problem != "") != (x.Target == "title") || !strings.Contains(wanted.Problem, x.Problem) {
			t.Errorf("%s: problem %q of %q", x.Target, x.Problem, wanted.Problem)
		}
	}
	if !slices.Equal(targets, m.Managed()) {
		t.Errorf("explained %q of %q", targets, m.Managed())
	}
	want := map[string]string{"userPrincipalName": "ada@x", "mail": "", "givenName": "Ada", "surname": "Lovelace", "jobTitle": "Analyst"}
	if got := m.Read(u); !maps.Equal(got, want) {
		t.Errorf("read %v", got)
	}
}
