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

func TestASCIMServerMapsByItsOwnNames(t *testing.T) {
	m := mapping.SCIM()
	w := m.ToMember(&connectors.User{ObjectID: "2819c223", Enabled: true, Attributes: map[string]string{
		"userName": "ada@x.com", "email": "ada.l@x.com", "displayName": "Ada L", "name.givenName": "Ada", "name.familyName": "Lovelace",
		"externalId": "701984", "title": "Countess",
	}}, 7)
	want := map[string]string{
		"userName": "ada@x.com", `emails[type eq "work"].value`: "ada.l@x.com", "displayName": "Ada L", "name.givenName": "Ada",
		"name.familyName": "Lovelace",
	}
	if !maps.Equal(w.Values, want) || w.ObjectID != "2819c223" || !w.Enabled {
		t.Errorf("got %+v", w)
	}
	g := m.ToTeam(&connectors.Group{ObjectID: "g1", Attributes: map[string]string{"displayName": "Engineering", "externalId": "e1"}}, 8)
	if g != (roster.WantedTeam{ObjectID: "g1", DisplayName: "Engineering", Stamp: 8}) {
		t.Errorf("got %+v", g)
	}
}

// What the mapping without a line of its own reads must be among what a line may name.
func TestEverySourceOfABaseMappingIsKnown(t *testing.T) {
	for name, m := range map[string]mapping.Mapping{"entra": mapping.Entra(), "scim": mapping.SCIM()} {
		for target, source := range m.Member {
			if err := m.Write(target, source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := m.Write("title", "titel"); err == nil {
			t.Errorf("%s takes an attribute that is not read", name)
		}
	}
}
