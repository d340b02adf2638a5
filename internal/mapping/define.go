package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// enterprise is the schema of SCIM's enterprise extension (RFC 7643, section 4.3).
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"

// None as a source leaves an attribute to the pushes: runs neither compare nor write it.
const None = "none"

// Targets returns the attributes that a member's mapping may write: those of SCIM's User and its enterprise extension that
// hold one text (RFC 7643, sections 4.1 and 4.3).
func Targets() []string {
	return []string{
		roster.AttrUserName, roster.AttrExternalID, roster.AttrDisplayName, roster.AttrGivenName, roster.AttrFamilyName,
		roster.AttrWorkEmail, "name.formatted", "name.middleName", "name.honorificPrefix", "name.honorificSuffix", "nickName", "title",
		"userType", "preferredLanguage", "locale", "timezone", `phoneNumbers[type eq "work"].value`, `phoneNumbers[type eq "mobile"].value`,
		enterprise + "employeeNumber", enterprise + "costCenter", enterprise + "organization", enterprise + "division", enterprise + "department",
	}
}

// EntraSources returns the attributes of a user that a mapping of Entra may read, by Graph's names.
func EntraSources() []string {
	out := []string{
		ObjectID, "userPrincipalName", "mail", "displayName", "givenName", "surname", "mailNickname", "jobTitle", "department", "companyName",
		"employeeId", "employeeType", "userType", "officeLocation", "preferredLanguage", "usageLocation", "mobilePhone", "businessPhones",
		"streetAddress", "city", "state", "postalCode", "country", "faxNumber", "onPremisesSamAccountName", "onPremisesUserPrincipalName",
		"onPremisesImmutableId", "onPremisesDomainName",
	}
	for i := 1; i <= 15; i++ {
		out = append(out, fmt.Sprintf("onPremisesExtensionAttributes.extensionAttribute%d", i))
	}
	return out
}

func knownToEntra(name string) error {
	if sources := EntraSources(); !slices.Contains(sources, name) {
		return fmt.Errorf("%q is no attribute that is read from Graph%s", name, meant(name, sources))
	}
	return nil
}

// SCIMSources returns the attributes of a user that a mapping of a SCIM server may read: those of the core schema and of the
// enterprise extension that hold one text, whose names are given without a URN (RFC 7643, sections 4.1 and 4.3), and email,
// which is the work address, else the primary one, else the first.
func SCIMSources() []string {
	return []string{
		ObjectID, "userName", "externalId", "email", "displayName", "nickName", "title", "userType", "preferredLanguage", "locale",
		"timezone", "name.formatted", "name.givenName", "name.familyName", "name.middleName",
		"employeeNumber", "costCenter", "organization", "division", "department",
	}
}

func knownToSCIM(name string) error {
	if sources := SCIMSources(); !slices.Contains(sources, name) {
		return fmt.Errorf("%q is no attribute that is read from a SCIM server%s", name, meant(name, sources))
	}
	return nil
}

// Write sets where a member's attribute is taken from: an attribute's name, None, or "=" and an expression. The mapping is
// changed; what is shared with a copy of it is not.
func (m *Mapping) Write(target, source string) error {
	source = strings.TrimSpace(source)
	if !slices.Contains(Targets(), target) {
		return fmt.Errorf("%q is no attribute that a mapping can write%s", target, meant(target, Targets()))
	}
	member, programs := maps.Clone(m.Member), maps.Clone(m.programs)
	if programs == nil {
		programs = map[string]*Expression{}
	}
	delete(programs, target)
	text, isExpression := strings.CutPrefix(source, "=")
	switch {
	case source == None && target == roster.AttrUserName:
		return fmt.Errorf("%s can't be %s: a member has to have one", target, None)
	case source == None:
		delete(member, target)
	case isExpression:
		e, err := NewExpression(text, m.known)
		if err != nil {
			return fmt.Errorf("the expression of %s, %w", target, err)
		}
		member[target], programs[target] = "= "+strings.TrimSpace(text), e
	default:
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`).MatchString(source) {
			return fmt.Errorf("%s: %q is no attribute's name; an expression begins with =", target, source)
		}
		if m.known != nil {
			if err := m.known(source); err != nil {
				return fmt.Errorf("%s: %w", target, err)
			}
		}
		member[target] = source
	}
	m.Member, m.programs = member, programs
	return nil
}

// Sources returns the attributes of a person that the mapping reads, sorted.
func (m Mapping) Sources() []string {
	all := map[string]bool{}
	for target, source := range m.Member {
		if e := m.programs[target]; e != nil {
			for _, name := range e.Sources() {
				all[name] = true
			}
			continue
		}
		all[source] = true
	}
	delete(all, ObjectID)
	return slices.Sorted(maps.Keys(all))
}
