package scim_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func TestACustomSchemaGetsTheDefaultsOfTheRFC(t *testing.T) {
	s, err := scim.NewExtension("urn:example:acme:2.0:User", "", "Acme's own", []scim.Attribute{
		{Name: "badge"}, {Name: "photo", Type: scim.Binary}, {Name: "page", Type: scim.Reference}, {Name: "site", Type: scim.Complex, SubAttributes: []scim.Attribute{{Name: "floor", Type: scim.Integer}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"badge": "string single optional inexact readWrite default none", "photo": "binary single optional exact readWrite default none",
		"page": "reference single optional exact readWrite default none", "site": "complex single optional inexact readWrite default none",
	} {
		if got := describe(s.Attribute(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := describe(s.Attribute("site").Sub("floor")); s.Name != "User" || got != "integer single optional inexact readWrite default none" {
		t.Errorf("%s, site.floor: %s", s.Name, got)
	}
}

func TestCustomSchemasThatNoClientCouldWorkWithAreRefused(t *testing.T) {
	const urn = "urn:example:acme:2.0:User"
	plain := []scim.Attribute{{Name: "badge"}}
	nested := []scim.Attribute{{Name: "b", Type: scim.Complex, SubAttributes: []scim.Attribute{{Name: "c"}}}}
	for name, tc := range map[string]struct {
		urn        string
		attributes []scim.Attribute
	}{
		"not a URN":              {"acme", plain},
		"a URN without a name":   {"urn:acme", plain},
		"a URN with a quote":     {`urn:acme:"x`, plain},
		"a schema of the RFC":    {strings.ToUpper(scim.EnterpriseUserURN), plain},
		"no attributes":          {urn, nil},
		"a name with a dot":      {urn, []scim.Attribute{{Name: "a.b"}}},
		"a name of nothing":      {urn, []scim.Attribute{{}}},
		"a name twice":           {urn, []scim.Attribute{{Name: "a"}, {Name: "A"}}},
		"an unknown type":        {urn, []scim.Attribute{{Name: "a", Type: "colour"}}},
		"a secret":               {urn, []scim.Attribute{{Name: "a", Mutability: scim.WriteOnly}}},
		"an unknown returned":    {urn, []scim.Attribute{{Name: "a", Returned: "sometimes"}}},
		"a unique one":           {urn, []scim.Attribute{{Name: "a", Uniqueness: scim.UniqueServer}}},
		"a required one":         {urn, []scim.Attribute{{Name: "a", Required: true}}},
		"complex without parts":  {urn, []scim.Attribute{{Name: "a", Type: scim.Complex}}},
		"parts of a simple one":  {urn, []scim.Attribute{{Name: "a", SubAttributes: plain}}},
		"complex within complex": {urn, []scim.Attribute{{Name: "a", Type: scim.Complex, SubAttributes: nested}}},
		"a list within complex":  {urn, []scim.Attribute{{Name: "a", Type: scim.Complex, SubAttributes: []scim.Attribute{{Name: "b", MultiValued: true}}}}},
		"references of a text":   {urn, []scim.Attribute{{Name: "a", ReferenceTypes: []string{"User"}}}},
	} {
		if s, err := scim.NewExtension(tc.urn, "", "", tc.attributes); err == nil {
			t.Errorf("%s is accepted: %+v", name, s)
		}
	}
}

// A store keeps the keys that roster.Fold makes; scimserver's tests hold both against each other.
func TestFoldMakesKeysThatAreEqualWhereTextsAre(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " Ada ": "ada", "STRASSE": "strasse", "Straße": "strasse", "e\u0301": "\u00e9", "\u00c9": "\u00e9", "\u212a": "k", "\u017f": "s", "\tA B\n": "a b",
	} {
		if got := scim.Fold(text); got != want {
			t.Errorf("%q folds to %q, want %q", text, got, want)
		}
	}
	if got := scim.FoldPart(" Ada "); got != " ada " {
		t.Errorf("a part folds to %q", got)
	}
}
