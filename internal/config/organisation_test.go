package config_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/configs"
	"github.com/rosterd/rosterd/internal/config"
)

func TestAnOrganisationsOwnSchemaIsReadAndPrinted(t *testing.T) {
	const text = `organisations:
  - name: default
    scim:
      schema: urn:example:acme:2.0:User
      attributes:
        - { name: badge, type: integer, description: Its number, returned: request, mutability: immutable }
        - { name: tags, multi_valued: true, case_exact: true, canonical_values: [a, b] }
        - { name: site, type: complex, sub_attributes: [{ name: floor }] }
  - name: other
`
	want := []config.Organisation{{Name: "default", Line: 2, SCIM: &config.OwnSchema{URN: "urn:example:acme:2.0:User", Attributes: []config.OwnAttribute{
		{Name: "badge", Type: "integer", Description: "Its number", Returned: "request", Mutability: "immutable"},
		{Name: "tags", MultiValued: true, CaseExact: true, CanonicalValues: []string{"a", "b"}},
		{Name: "site", Type: "complex", SubAttributes: []config.OwnAttribute{{Name: "floor"}}},
	}}}, {Name: "other", Line: 9}}
	got, err := config.Load(write(t, text), noEnv)
	if err != nil || !reflect.DeepEqual(got.Organisations, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	printed := got.Redacted()
	_, section, _ := strings.Cut(printed, "organisations:")
	again, err := config.Load(write(t, "organisations:"+section), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.Organisations {
		again.Organisations[i].Line = want[i].Line
	}
	if !reflect.DeepEqual(again.Organisations, want) {
		t.Errorf("printed and read again: %+v in\n%s", again.Organisations, printed)
	}
}

func TestProblemsOfOrganisations(t *testing.T) {
	const schema = "organisations: [{ name: a, scim: { schema: urn:x:y, attributes: ["
	for text, want := range map[string]string{
		"organisations: default\n":                                       `FILE:1: organisations must be a list: begin each entry with "- name: default"`,
		"organisations: [{ scim: {} }]\n":                                "FILE:1: name is missing in the organisation",
		"organisations: [{ name: a }, { name: A }]\n":                    "FILE:1: the organisation A is there already, in line 1: keep one",
		"organisations: [{ name: a, shim: 1 }]\n":                        `FILE:1: unknown key "shim" in the organisation`,
		"organisations: [{ name: a, scim: { attributes: [] } }]\n":       "FILE:1: schema is missing in the scim settings of a: write schema: urn:example:",
		"organisations: [{ name: a, scim: { schema: \"urn:x:y\" } }]\n":  "FILE:1: attributes is missing in the scim settings of a",
		schema + "{ type: string }] } }]\n":                              "FILE:1: name is missing in the attribute",
		schema + "{ name: b, type: datetime }] } }]\n":                   `FILE:1: type "datetime" is none of string, boolean, decimal, integer, dateTime, binary, reference, complex`,
		schema + "{ name: b, mutability: writeOnly }] } }]\n":            `FILE:1: mutability "writeOnly" is none of readWrite, readOnly, immutable`,
		schema + "{ name: b, returned: sometimes }] } }]\n":              `FILE:1: returned "sometimes" is none of default`,
		schema + "{ name: b, multi_valued: \"yes\" }] } }]\n":            "FILE:1: multi_valued must be true or false",
		schema + "{ name: b, canonical_values: [[]] }] } }]\n":           "FILE:1: each of canonical_values must be text",
		schema + "{ name: b, sub_attributes: [{ nme: c }] }] } }]\n":     `FILE:1: name is missing in the attribute`,
		schema + "{ name: b, sub_attributes: 5 }] } }]\n":                "FILE:1: sub_attributes must be a list",
		"organisations: [{ name: a, scim: { schema: \"${env:X}\" } }]\n": "FILE:1: schema takes no reference",
	} {
		if got := problems(t, text, noEnv); !strings.Contains(got, want) {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTheSamplesOrganisationLoads(t *testing.T) {
	_, rest, _ := strings.Cut(configs.Sample, "#organisations")
	commented, _, _ := strings.Cut("#organisations"+rest, "\n\n")
	text := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAllString(commented, "$1")
	got, err := config.Load(write(t, text), noEnv)
	if err != nil || len(got.Organisations) != 1 || len(got.Organisations[0].SCIM.Attributes) != 2 {
		t.Errorf("%+v, %v in\n%s", got, err, text)
	}
	for _, key := range []string{
		"organisations", "scim", "schema", "attributes", "type", "description", "multi_valued", "case_exact", "mutability", "returned",
		"canonical_values", "sub_attributes",
	} {
		if !strings.Contains(text, key+":") {
			t.Errorf("the sample doesn't list %s", key)
		}
	}
}
