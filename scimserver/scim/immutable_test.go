package scim_test

import (
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

func immutableType() *scim.ResourceType {
	return scim.NewUserType(&scim.Schema{ID: "urn:acme:2.0:User", Attributes: []scim.Attribute{
		{Name: "badge", Type: scim.String, Mutability: scim.Immutable},
		{Name: "home", Type: scim.Complex, SubAttributes: []scim.Attribute{
			{Name: "site", Type: scim.String, Mutability: scim.Immutable}, {Name: "desk", Type: scim.String},
		}},
		{Name: "keys", Type: scim.Complex, MultiValued: true, SubAttributes: []scim.Attribute{
			{Name: "value", Type: scim.String, Mutability: scim.Immutable},
		}},
	}})
}

const badged = `{"userName":"a","urn:acme:2.0:User":{"badge":"1","home":{"site":"S","desk":"D"},"keys":[{"value":"k"}]}}`

// A client may give an immutable attribute its first value and no other (RFC 7644, sections 3.5.1 and 3.5.2).
func TestImmutableAttributesTakeOneValue(t *testing.T) {
	const urn = "urn:acme:2.0:User:"
	for name, tc := range map[string]struct{ resource, op, scimType string }{
		"its first value":                     {bare, `{"op":"add","path":"` + urn + `badge","value":"1"}`, ""},
		"the same again":                      {badged, `{"op":"replace","path":"` + urn + `badge","value":"1"}`, ""},
		"another":                             {badged, `{"op":"replace","path":"` + urn + `badge","value":"2"}`, "mutability"},
		"another, without a path":             {badged, `{"op":"replace","value":{"urn:acme:2.0:User":{"badge":"2"}}}`, "mutability"},
		"none":                                {badged, `{"op":"remove","path":"` + urn + `badge"}`, "mutability"},
		"none, by the extension":              {badged, `{"op":"remove","path":"urn:acme:2.0:User"}`, "mutability"},
		"another part":                        {badged, `{"op":"replace","path":"` + urn + `home.site","value":"T"}`, "mutability"},
		"the part beside it":                  {badged, `{"op":"replace","path":"` + urn + `home.desk","value":"E"}`, ""},
		"a value comes":                       {badged, `{"op":"add","path":"` + urn + `keys","value":[{"value":"l"}]}`, ""},
		"a value goes":                        {badged, `{"op":"remove","path":"` + urn + `keys[value eq \"k\"]"}`, ""},
		"changed and changed back in between": {badged, `{"op":"remove","path":"` + urn + `badge"},{"op":"add","path":"` + urn + `badge","value":"1"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := scim.DecodeResource(immutableType(), []byte(tc.resource))
			check(t, err, "")
			ops, err := scim.ParsePatch([]byte(`{"Operations":[` + tc.op + `]}`))
			check(t, err, "")
			_, _, err = scim.ApplyPatch(immutableType(), r, ops)
			check(t, err, tc.scimType)
		})
	}
}

func TestReplacingKeepsImmutableAttributesAndRefusesOthers(t *testing.T) {
	for name, tc := range map[string]struct{ stored, wanted, want, scimType string }{
		"left out":          {badged, `{"userName":"b"}`, `{"urn:acme:2.0:User":{"badge":"1","home":{"site":"S"}},"userName":"b"}`, ""},
		"given as they are": {badged, badged, badged, ""},
		"given anew":        {badged, `{"userName":"a","urn:acme:2.0:User":{"badge":"2"}}`, "", "mutability"},
		"a first value":     {bare, badged, badged, ""},
		"none there":        {bare, `{"userName":"b"}`, `{"userName":"b"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			decode := func(body string) scim.Resource {
				r, err := scim.DecodeResource(immutableType(), []byte(body))
				check(t, err, "")
				return r
			}
			stored, wanted := decode(tc.stored), decode(tc.wanted)
			got, err := scim.Replacing(immutableType(), stored, wanted)
			check(t, err, tc.scimType)
			if err == nil && !got.Equal(decode(tc.want)) {
				t.Errorf("replaced by %s, want %s", asJSON(t, got), tc.want)
			}
			if !stored.Equal(decode(tc.stored)) || !wanted.Equal(decode(tc.wanted)) {
				t.Errorf("the input became %s and %s", asJSON(t, stored), asJSON(t, wanted))
			}
		})
	}
}
