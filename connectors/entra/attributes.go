package entra

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// userField is one attribute that is asked for, under Graph's name (Graph documentation, "user resource type").
type userField struct {
	name string
	get  func(models.Userable) *string
}

// userFields lists what is asked for besides id and accountEnabled. Few of them come without $select.
func userFields() []userField {
	return []userField{
		{"userPrincipalName", models.Userable.GetUserPrincipalName},
		{"mail", models.Userable.GetMail},
		{"displayName", models.Userable.GetDisplayName},
		{"givenName", models.Userable.GetGivenName},
		{"surname", models.Userable.GetSurname},
		{"mailNickname", models.Userable.GetMailNickname},
		{"jobTitle", models.Userable.GetJobTitle},
		{"department", models.Userable.GetDepartment},
		{"companyName", models.Userable.GetCompanyName},
		{"employeeId", models.Userable.GetEmployeeId},
		{"userType", models.Userable.GetUserType},
		{"officeLocation", models.Userable.GetOfficeLocation},
		{"preferredLanguage", models.Userable.GetPreferredLanguage},
		{"usageLocation", models.Userable.GetUsageLocation},
		{"mobilePhone", models.Userable.GetMobilePhone},
		{"businessPhones", firstPhone},
	}
}

// moreFields are those that are asked for only where a mapping reads them.
func moreFields() []userField {
	return []userField{
		{"employeeType", models.Userable.GetEmployeeType},
		{"streetAddress", models.Userable.GetStreetAddress},
		{"city", models.Userable.GetCity},
		{"state", models.Userable.GetState},
		{"postalCode", models.Userable.GetPostalCode},
		{"country", models.Userable.GetCountry},
		{"faxNumber", models.Userable.GetFaxNumber},
		{"onPremisesSamAccountName", models.Userable.GetOnPremisesSamAccountName},
		{"onPremisesUserPrincipalName", models.Userable.GetOnPremisesUserPrincipalName},
		{"onPremisesImmutableId", models.Userable.GetOnPremisesImmutableId},
		{"onPremisesDomainName", models.Userable.GetOnPremisesDomainName},
	}
}

const onPremises = "onPremisesExtensionAttributes"

// extensionFields are those of the extension attributes, which Graph selects together (Graph documentation,
// "onPremisesExtensionAttributes resource type").
func extensionFields() []userField {
	type values = models.OnPremisesExtensionAttributesable
	var out []userField
	for i, get := range []func(values) *string{
		values.GetExtensionAttribute1, values.GetExtensionAttribute2, values.GetExtensionAttribute3, values.GetExtensionAttribute4,
		values.GetExtensionAttribute5, values.GetExtensionAttribute6, values.GetExtensionAttribute7, values.GetExtensionAttribute8,
		values.GetExtensionAttribute9, values.GetExtensionAttribute10, values.GetExtensionAttribute11, values.GetExtensionAttribute12,
		values.GetExtensionAttribute13, values.GetExtensionAttribute14, values.GetExtensionAttribute15,
	} {
		out = append(out, userField{fmt.Sprintf("%s.extensionAttribute%d", onPremises, i+1), func(u models.Userable) *string {
			if v := u.GetOnPremisesExtensionAttributes(); v != nil {
				return get(v)
			}
			return nil
		}})
	}
	return out
}

// filterFields are those that scoping filters may compare besides.
func filterFields() []userField {
	return []userField{
		{"id", func(u models.Userable) *string { return u.GetId() }},
		{"accountEnabled", func(u models.Userable) *string { return boolText(u.GetAccountEnabled()) }},
		{"isSoftDeleted", func(models.Userable) *string { no := false; return boolText(&no) }}, // of whom Graph lists
		{"onPremisesSyncEnabled", func(u models.Userable) *string { return boolText(u.GetOnPremisesSyncEnabled()) }},
		{"onPremisesDistinguishedName", models.Userable.GetOnPremisesDistinguishedName},
		{"onPremisesSecurityIdentifier", models.Userable.GetOnPremisesSecurityIdentifier},
		{"externalUserState", models.Userable.GetExternalUserState},
		{"creationType", models.Userable.GetCreationType},
		{"ageGroup", models.Userable.GetAgeGroup},
	}
}

func boolText(b *bool) *string {
	if b == nil {
		return nil
	}
	text := strconv.FormatBool(*b)
	return &text
}

// fieldOf returns the field of one of the names that userAttribute gives.
func fieldOf(name string) (userField, bool) {
	for _, f := range slices.Concat(userFields(), moreFields(), filterFields(), extensionFields()) {
		if f.name == name {
			return f, true
		}
	}
	return extension(name), isExtension(name)
}

// selected picks the fields that are asked for.
func selected(names []string) ([]userField, error) {
	if names == nil {
		return userFields(), nil
	}
	all := slices.Concat(userFields(), moreFields(), extensionFields())
	out := []userField{}
	for _, name := range names {
		i := slices.IndexFunc(all, func(f userField) bool { return f.name == name })
		if i < 0 && isExtension(name) {
			out = append(out, extension(name))
			continue
		}
		if i < 0 {
			return nil, fmt.Errorf("attribute %q of users is not known", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// firstPhone returns the one number that businessPhones can hold.
func firstPhone(u models.Userable) *string {
	if phones := u.GetBusinessPhones(); len(phones) > 0 {
		return &phones[0]
	}
	return nil
}

// userSelect names what is asked for of users: what the mapping reads, and what the scoping filters compare.
func (c *Connector) userSelect(r *rules) []string {
	names := []string{"id", "accountEnabled"}
	for _, f := range slices.Concat(c.fields, r.userFields()) {
		name, _, _ := strings.Cut(f.name, ".")
		if name != "isSoftDeleted" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// groupSelect names the group's properties that are read (Graph documentation, "group resource type"), and what the scoping
// filters compare.
func groupSelect(r *rules) []string {
	names := []string{"id", "displayName", "description", "mail", "mailNickname", "visibility"}
	if r != nil {
		for _, name := range r.groups.attributes() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// groupValue returns an attribute that groupAttribute knows, as text.
func groupValue(g models.Groupable, name string) string {
	switch name {
	case "id":
		return text(g.GetId())
	case "displayName":
		return text(g.GetDisplayName())
	case "description":
		return text(g.GetDescription())
	case "mail":
		return text(g.GetMail())
	case "mailNickname":
		return text(g.GetMailNickname())
	case "mailEnabled":
		return text(boolText(g.GetMailEnabled()))
	case "securityEnabled":
		return text(boolText(g.GetSecurityEnabled()))
	case "visibility":
		return text(g.GetVisibility())
	}
	return ""
}

// user converts what Graph sent. A user without accountEnabled is an error: taken for disabled, everybody would be
// deactivated because a permission is missing.
func (c *Connector) user(u models.Userable) (connectors.User, error) {
	id, err := objectID(u)
	if err != nil {
		return connectors.User{}, err
	}
	enabled := u.GetAccountEnabled()
	if enabled == nil {
		return connectors.User{}, &connectors.Error{
			Fault:   connectors.MissingPermission,
			Message: fmt.Sprintf("Graph does not say whether the account of user %s is enabled", id),
			Fix:     grantFix("User.Read.All"),
		}
	}
	attributes := make(map[string]string, len(c.fields))
	for _, f := range c.fields {
		if v := f.get(u); v != nil {
			attributes[f.name] = *v
		}
	}
	return connectors.User{ObjectID: id, Enabled: *enabled, Attributes: attributes}, nil
}

// group converts what Graph sent.
func group(g models.Groupable) (connectors.Group, error) {
	id, err := objectID(g)
	if err != nil {
		return connectors.Group{}, err
	}
	attributes := map[string]string{}
	for name, v := range map[string]*string{
		"displayName": g.GetDisplayName(), "description": g.GetDescription(),
		"mail": g.GetMail(), "mailNickname": g.GetMailNickname(),
	} {
		if v != nil {
			attributes[name] = *v
		}
	}
	return connectors.Group{ObjectID: id, Attributes: attributes}, nil
}

// hidden reports whether the group's members are shown only with Member.Read.Hidden; without it the list reads as empty.
func hidden(g models.Groupable) bool { return text(g.GetVisibility()) == "HiddenMembership" }

func hiddenMembers(name string) error {
	return &connectors.Error{
		Fault:   connectors.MissingPermission,
		Message: fmt.Sprintf("The membership of group %s is hidden, and Graph gives an empty list", name),
		Fix:     grantFix("Member.Read.Hidden"),
	}
}

func objectID(o models.Entityable) (string, error) {
	if o == nil || text(o.GetId()) == "" {
		return "", &connectors.Error{Fault: connectors.Broken, Message: "Graph gave an object without id"}
	}
	return *o.GetId(), nil
}
