package scim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/scimserver/scim"
)

const baseURL = "https://id.example.com/scim/v2"

// Characteristics as in RFC 7643, section 8.7.1, with its verified errata 5368 (a Group's displayName is required), 8471
// (groups.$ref refers to Groups) and 8472 (manager.value is caseExact), and section 2.3.7, by which references are caseExact
// (erratum 6001). addresses.primary and members.display are those of sections 2.4 and 8.4. In this order: type, multiValued,
// required, caseExact, mutability, returned, uniqueness, canonicalValues or referenceTypes.
func TestSchemasHaveTheCharacteristicsOfTheRFC(t *testing.T) {
	want := map[string]string{
		scim.UserURN: `
			userName string single required inexact readWrite default server
			name complex single optional inexact readWrite default none
			name.formatted string single optional inexact readWrite default none
			name.familyName string single optional inexact readWrite default none
			name.givenName string single optional inexact readWrite default none
			name.middleName string single optional inexact readWrite default none
			name.honorificPrefix string single optional inexact readWrite default none
			name.honorificSuffix string single optional inexact readWrite default none
			displayName string single optional inexact readWrite default none
			nickName string single optional inexact readWrite default none
			profileUrl reference single optional exact readWrite default none external
			title string single optional inexact readWrite default none
			userType string single optional inexact readWrite default none
			preferredLanguage string single optional inexact readWrite default none
			locale string single optional inexact readWrite default none
			timezone string single optional inexact readWrite default none
			active boolean single optional inexact readWrite default none
			password string single optional inexact writeOnly never none
			emails complex multi optional inexact readWrite default none
			emails.value string single optional inexact readWrite default none
			emails.display string single optional inexact readWrite default none
			emails.type string single optional inexact readWrite default none work,home,other
			emails.primary boolean single optional inexact readWrite default none
			phoneNumbers complex multi optional inexact readWrite default none
			phoneNumbers.value string single optional inexact readWrite default none
			phoneNumbers.display string single optional inexact readWrite default none
			phoneNumbers.type string single optional inexact readWrite default none work,home,mobile,fax,pager,other
			phoneNumbers.primary boolean single optional inexact readWrite default none
			ims complex multi optional inexact readWrite default none
			ims.value string single optional inexact readWrite default none
			ims.display string single optional inexact readWrite default none
			ims.type string single optional inexact readWrite default none aim,gtalk,icq,xmpp,msn,skype,qq,yahoo
			ims.primary boolean single optional inexact readWrite default none
			photos complex multi optional inexact readWrite default none
			photos.value reference single optional exact readWrite default none external
			photos.display string single optional inexact readWrite default none
			photos.type string single optional inexact readWrite default none photo,thumbnail
			photos.primary boolean single optional inexact readWrite default none
			addresses complex multi optional inexact readWrite default none
			addresses.formatted string single optional inexact readWrite default none
			addresses.streetAddress string single optional inexact readWrite default none
			addresses.locality string single optional inexact readWrite default none
			addresses.region string single optional inexact readWrite default none
			addresses.postalCode string single optional inexact readWrite default none
			addresses.country string single optional inexact readWrite default none
			addresses.type string single optional inexact readWrite default none work,home,other
			addresses.primary boolean single optional inexact readWrite default none
			groups complex multi optional inexact readOnly default none
			groups.value string single optional inexact readOnly default none
			groups.$ref reference single optional exact readOnly default none Group
			groups.display string single optional inexact readOnly default none
			groups.type string single optional inexact readOnly default none direct,indirect
			entitlements complex multi optional inexact readWrite default none
			entitlements.value string single optional inexact readWrite default none
			entitlements.display string single optional inexact readWrite default none
			entitlements.type string single optional inexact readWrite default none
			entitlements.primary boolean single optional inexact readWrite default none
			roles complex multi optional inexact readWrite default none
			roles.value string single optional inexact readWrite default none
			roles.display string single optional inexact readWrite default none
			roles.type string single optional inexact readWrite default none
			roles.primary boolean single optional inexact readWrite default none
			x509Certificates complex multi optional inexact readWrite default none
			x509Certificates.value binary single optional exact readWrite default none
			x509Certificates.display string single optional inexact readWrite default none
			x509Certificates.type string single optional inexact readWrite default none
			x509Certificates.primary boolean single optional inexact readWrite default none`,
		ent: `
			employeeNumber string single optional inexact readWrite default none
			costCenter string single optional inexact readWrite default none
			organization string single optional inexact readWrite default none
			division string single optional inexact readWrite default none
			department string single optional inexact readWrite default none
			manager complex single optional inexact readWrite default none
			manager.value string single optional exact readWrite default none
			manager.$ref reference single optional exact readWrite default none User
			manager.displayName string single optional inexact readOnly default none`,
		scim.GroupURN: `
			displayName string single required inexact readWrite default none
			members complex multi optional inexact readWrite default none
			members.value string single optional inexact immutable default none
			members.$ref reference single optional exact immutable default none User,Group
			members.display string single optional inexact immutable default none
			members.type string single optional inexact immutable default none User,Group`,
	}
	for _, s := range append(scim.NewUserType().Schemas(), scim.NewGroupType().Schemas()...) {
		var got []string
		row := func(path string, a *scim.Attribute) {
			more := strings.Join(append(slices.Clone(a.CanonicalValues), a.ReferenceTypes...), ",")
			got = append(got, strings.TrimSpace(path+" "+describe(a)+" "+more))
		}
		for i := range s.Attributes {
			a := &s.Attributes[i]
			row(a.Name, a)
			for j := range a.SubAttributes {
				row(a.Name+"."+a.SubAttributes[j].Name, &a.SubAttributes[j])
			}
		}
		wanted := strings.Split(strings.TrimSpace(want[s.ID]), "\n")
		for i := range wanted {
			wanted[i] = strings.TrimSpace(wanted[i])
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s:\n%s", s.Name, strings.Join(got, "\n"))
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

func TestSchemasAreWhole(t *testing.T) {
	for _, s := range append(scim.NewUserType().Schemas(), scim.NewGroupType().Schemas()...) {
		for _, a := range s.Attributes {
			for _, a := range append(slices.Clone(a.SubAttributes), a) {
				if a.Description == "" || (a.Type == scim.Complex) != (len(a.SubAttributes) > 0) || (a.Type == scim.Reference) != (a.ReferenceTypes != nil) {
					t.Errorf("%s of %s is not whole: %+v", a.Name, s.Name, a)
				}
			}
			for _, sub := range a.SubAttributes {
				if sub.Type == scim.Complex || sub.MultiValued {
					t.Errorf("%s.%s of %s nests", a.Name, sub.Name, s.Name)
				}
			}
		}
	}
}

// The one schema in which a complex attribute stands within a complex one is that of schemas.
func TestServiceSchemasHaveTheCharacteristicsOfTheRFC(t *testing.T) {
	want := map[string]string{
		scim.ServiceConfigURN: "documentationUri! patch*{supported*} bulk*{supported* maxOperations* maxPayloadSize*} filter*{supported* maxResults*} " +
			"changePassword*{supported*} sort*{supported*} etag*{supported*} " +
			"pagination{cursor* index* defaultPaginationMethod defaultPageSize maxPageSize cursorTimeout} " +
			"authenticationSchemes*[]{type* name* description* specUri! documentationUri! primary}",
		scim.ResourceTypeURN: "id name* description endpoint*! schema*! schemaExtensions[]{schema*! required*}",
		scim.SchemaURN: "id* name* description attributes*[]{name*! type* multiValued* description! required canonicalValues[]! caseExact mutability! " +
			"returned! uniqueness! referenceTypes[]! subAttributes[]{name*! type* multiValued* description! required canonicalValues[]! caseExact " +
			"mutability! returned! uniqueness! referenceTypes[]!}}",
	}
	for _, s := range scim.ServiceSchemas() {
		if got := outline(t, s.Attributes); got != want[s.ID] {
			t.Errorf("%s:\n got %s\nwant %s", s.ID, got, want[s.ID])
		}
	}
	if n := len(scim.ServiceSchemas()); n != len(want) {
		t.Errorf("%d schemas", n)
	}
}

// outline writes attributes with * for required, [] for several values and ! for case exact.
func outline(t *testing.T, list []scim.Attribute) string {
	t.Helper()
	parts := make([]string, 0, len(list))
	for _, a := range list {
		if a.Mutability != scim.ReadOnly || a.Returned != scim.Default || a.Uniqueness != scim.UniqueNone || a.Description == "" ||
			(a.Type == scim.Complex) != (len(a.SubAttributes) > 0) || (a.Type == scim.Reference) != (len(a.ReferenceTypes) > 0) {
			t.Errorf("%+v", a)
		}
		text := a.Name
		for _, mark := range []struct {
			is   bool
			text string
		}{{a.Required, "*"}, {a.MultiValued, "[]"}, {a.CaseExact, "!"}, {a.Type == scim.Complex, "{" + outline(t, a.SubAttributes) + "}"}} {
			if mark.is {
				text += mark.text
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
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
