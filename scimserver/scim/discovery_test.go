package scim_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

const baseURL = "https://id.example.com/scim/v2"

// Characteristics as in RFC 7643, sections 4.1 to 4.3 and 8.7.1: type, multiValued, required, caseExact, mutability,
// returned, uniqueness.
func TestSchemasHaveTheCharacteristicsOfTheRFC(t *testing.T) {
	want := map[string]map[string]string{
		scim.UserURN: {
			"userName": "string single required inexact readWrite default server", "displayName": "string single optional inexact readWrite default none",
			"name": "complex single optional inexact readWrite default none", "name.givenName": "string single optional inexact readWrite default none",
			"profileUrl": "reference single optional exact readWrite default none", "active": "boolean single optional inexact readWrite default none",
			"password": "string single optional exact writeOnly never none", "emails": "complex multi optional inexact readWrite default none",
			"emails.value": "string single optional inexact readWrite default none", "emails.primary": "boolean single optional inexact readWrite default none",
			"groups": "complex multi optional inexact readOnly default none", "groups.$ref": "reference single optional exact readOnly default none",
			"photos.value": "reference single optional exact readWrite default none", "x509Certificates.value": "binary single optional exact readWrite default none",
			"addresses.country": "string single optional inexact readWrite default none",
		},
		scim.GroupURN: {
			"displayName": "string single required inexact readWrite default none", "members": "complex multi optional inexact readWrite default none",
			"members.value": "string single optional exact immutable default none", "members.$ref": "reference single optional exact immutable default none",
		},
		ent: {
			"employeeNumber": "string single optional inexact readWrite default none", "manager.value": "string single optional exact readWrite default none",
			"manager.$ref": "reference single optional exact readWrite default none", "manager.displayName": "string single optional inexact readOnly default none",
		},
	}
	for _, s := range append(scim.NewUserType().Schemas(), scim.NewGroupType().Schemas()...) {
		for path, characteristics := range want[s.ID] {
			name, sub, _ := strings.Cut(path, ".")
			a := s.Attribute(name)
			if sub != "" {
				a = a.Sub(sub)
			}
			if got := describe(a); got != characteristics {
				t.Errorf("%s of %s: %s, want %s", path, s.Name, got, characteristics)
			}
		}
	}
}

func describe(a *scim.Attribute) string {
	pick := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	return strings.Join([]string{
		string(a.Type), pick(a.MultiValued, "multi", "single"), pick(a.Required, "required", "optional"),
		pick(a.CaseExact, "exact", "inexact"), string(a.Mutability), string(a.Returned), a.Uniqueness,
	}, " ")
}

func TestSchemasHaveEveryAttributeOfTheRFC(t *testing.T) {
	want := map[string]string{
		scim.UserURN: "userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active password " +
			"emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates",
		scim.GroupURN: "displayName members",
		ent:           "employeeNumber costCenter organization division department manager",
	}
	for _, s := range append(scim.NewUserType().Schemas(), scim.NewGroupType().Schemas()...) {
		var names []string
		for _, a := range s.Attributes {
			names = append(names, a.Name)
			if a.Description == "" || (a.Type == scim.Complex) != (len(a.SubAttributes) > 0) || a.Type == scim.Reference && a.ReferenceTypes == nil {
				t.Errorf("%s of %s is not whole: %+v", a.Name, s.Name, a)
			}
		}
		if got := strings.Join(names, " "); got != want[s.ID] {
			t.Errorf("%s has %s, want %s", s.Name, got, want[s.ID])
		}
	}
}

func TestSchemaDocumentHasItsShape(t *testing.T) {
	doc := asJSON(t, scim.NewGroupType().Schema.At(baseURL+"/"))
	for _, want := range []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"` + scim.GroupURN + `","name":"Group","description":"Group","attributes":[{"name":"displayName","type":"string","multiValued":false,"description":"`,
		`"required":true,"caseExact":false,"mutability":"readWrite","returned":"default","uniqueness":"none"}`,
		`"referenceTypes":["User","Group"]`, `"canonicalValues":["User","Group"]`,
		`"meta":{"resourceType":"Schema","location":"` + baseURL + `/Schemas/` + scim.GroupURN + `"}}`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%s\nlacks %s", doc, want)
		}
	}
	if strings.Contains(doc, "MaxBytes") {
		t.Errorf("%s shows what is ours alone", doc)
	}
}

func TestResourceTypeDocument(t *testing.T) {
	for want, kind := range map[string]*scim.ResourceType{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User","description":"User Account","endpoint":"/Users","schema":"` + scim.UserURN +
			`","schemaExtensions":[{"schema":"` + ent + `","required":false}],"meta":{"resourceType":"ResourceType","location":"` + baseURL + `/ResourceTypes/User"}}`: scim.NewUserType(),
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"Group","name":"Group","description":"Group","endpoint":"/Groups","schema":"` + scim.GroupURN +
			`","schemaExtensions":[],"meta":{"resourceType":"ResourceType","location":"` + baseURL + `/ResourceTypes/Group"}}`: scim.NewGroupType(),
	} {
		if got := asJSON(t, kind.At(baseURL)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestServiceProviderConfigTellsTheTruth(t *testing.T) {
	for name, tc := range map[string]struct {
		c    scim.Capabilities
		want string
	}{
		"the least": {
			scim.Capabilities{MaxResults: 200},
			`"patch":{"supported":true},"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0},"filter":{"supported":true,"maxResults":200},"changePassword":{"supported":false},"sort":{"supported":false},"etag":{"supported":false}`,
		},
		"the most": {
			scim.Capabilities{MaxResults: 5, ETag: true, Sort: true, Bulk: scim.BulkSupport{Supported: true, MaxOperations: 10, MaxPayloadSize: 99}},
			`"patch":{"supported":true},"bulk":{"supported":true,"maxOperations":10,"maxPayloadSize":99},"filter":{"supported":true,"maxResults":5},"changePassword":{"supported":false},"sort":{"supported":true},"etag":{"supported":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := asJSON(t, scim.NewServiceProviderConfig(baseURL, tc.c))
			for _, want := range []string{
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],`, tc.want,
				`"authenticationSchemes":[{"type":"oauthbearertoken","name":"OAuth Bearer Token",`,
				`"meta":{"resourceType":"ServiceProviderConfig","location":"` + baseURL + `/ServiceProviderConfig"}}`,
			} {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nlacks %s", got, want)
				}
			}
		})
	}
}
