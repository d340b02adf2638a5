package mapping_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestEntraMapsAsTheProvisioningJobDoes(t *testing.T) {
	m := mapping.Entra()
	w := m.ToMember(&connectors.User{ObjectID: "o1", Enabled: true, Scope: "assigned directly", Attributes: map[string]string{
		"userPrincipalName": "ada@x.com", "mail": "ada.l@x.com", "displayName": "Ada L", "givenName": "Ada", "surname": "Lovelace",
		"mailNickname": "ada",
	}}, 7)
	want := map[string]string{
		"userName": "ada@x.com", `emails[type eq "work"].value`: "ada.l@x.com", "displayName": "Ada L", "name.givenName": "Ada",
		"name.familyName": "Lovelace",
	}
	if !maps.Equal(w.Values, want) || w.ObjectID != "o1" || !w.Enabled || w.Stamp != 7 || w.Scope != "assigned directly" {
		t.Errorf("got %+v", w)
	}
	g := m.ToTeam(&connectors.Group{ObjectID: "g1", Attributes: map[string]string{"displayName": "Engineering"}}, 8)
	if g != (roster.WantedTeam{ObjectID: "g1", DisplayName: "Engineering", ExternalID: "g1", Stamp: 8}) {
		t.Errorf("got %+v", g)
	}
}

// The fingerprint of what is stored is made over the managed attributes: a person must come with every one of them.
func TestAPersonComesWithEveryManagedAttribute(t *testing.T) {
	m := mapping.Entra()
	w := m.ToMember(&connectors.User{ObjectID: "o1", Attributes: map[string]string{}}, 0)
	if got := slices.Sorted(maps.Keys(w.Values)); !slices.Equal(got, m.Managed()) {
		t.Errorf("got %v, want %v", got, m.Managed())
	}
}

func TestAnotherMappingHasAnotherFingerprint(t *testing.T) {
	m := mapping.Entra()
	before := m.Fingerprint()
	if m.Fingerprint() != before {
		t.Error("the fingerprint is not stable")
	}
	m.Member[roster.AttrDisplayName] = "mailNickname"
	if m.Fingerprint() == before {
		t.Error("the fingerprint does not tell another mapping")
	}
}

func FuzzToMember(f *testing.F) {
	f.Add("ada@x.com", "Ada")
	f.Fuzz(func(t *testing.T, upn, name string) {
		w := mapping.Entra().ToMember(&connectors.User{Attributes: map[string]string{"userPrincipalName": upn, "displayName": name}}, 0)
		for path, v := range w.Values {
			for _, r := range v {
				if r == 0 {
					t.Errorf("%s holds a NUL, which PostgreSQL can't store", path)
				}
			}
		}
	})
}
