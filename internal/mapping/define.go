package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
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

// What stands for whether an account is enabled in Entra's own mappings: accountEnabled, and isSoftDeleted, which is True
// for who is disabled, deleted or out of scope (Microsoft's "How Application Provisioning works in Microsoft Entra ID",
// "Deprovisioning"). Of somebody who was read in scope each is the other's opposite.
func entraStates() map[string]func(*connectors.User) bool {
	return map[string]func(*connectors.User) bool{
		"accountEnabled": func(u *connectors.User) bool { return u.Enabled },
		"isSoftDeleted":  func(u *connectors.User) bool { return !u.Enabled || u.Gone != "" },
	}
}

// IsEntraExtension reports whether a name is that of an extension of Entra's users that holds one value: a directory
// extension, extension_{appId}_{name} with the application's id without its hyphens, or a property of a schema extension,
// {id}.{name} with an id such as ext1a2b3c4d_courses or contoso_courses (Microsoft Graph, "Add custom data to resources by
// using extensions").
func IsEntraExtension(name string) bool {
	return regexp.MustCompile(`^(extension_[0-9A-Fa-f]{32}_[A-Za-z0-9_]{1,100}|[A-Za-z][A-Za-z0-9]{0,62}_[A-Za-z][A-Za-z0-9]{0,55}\.[A-Za-z][A-Za-z0-9_]{0,100})$`).
		MatchString(name)
}

func knownToEntra(name string) error {
	sources := slices.AppendSeq(EntraSources(), maps.Keys(entraStates()))
	if !slices.Contains(sources, name) && !IsEntraExtension(name) {
		slices.Sort(sources)
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

func scimStates() map[string]func(*connectors.User) bool {
	return map[string]func(*connectors.User) bool{Active: func(u *connectors.User) bool { return u.Enabled }}
}

func knownToSCIM(name string) error {
	if sources := append(SCIMSources(), Active); !slices.Contains(sources, name) {
		return fmt.Errorf("%q is no attribute that is read from a SCIM server%s", name, meant(name, sources))
	}
	return nil
}

// Line says where one attribute of members is taken from, and what holds where that gives nothing.
type Line struct {
	Target  string
	Source  string // an attribute's name, None, or "=" and an expression
	Default string // what is written in place of nothing
	Clear   bool   // what is stored goes where nothing is given; else it stays
}

// Write sets where a member's attribute is taken from: an attribute's name, None, or "=" and an expression. For Active that
// must give true or false.
func (m *Mapping) Write(target, source string) error {
	return m.Put(Line{Target: target, Source: source})
}

// Put is Write with what holds where the source gives nothing. The mapping is changed; what is shared with a copy of it is
// not.
func (m *Mapping) Put(l Line) error {
	l.Source = strings.TrimSpace(l.Source)
	if l.Target == Active {
		return m.writeActive(l)
	}
	if !slices.Contains(Targets(), l.Target) {
		return fmt.Errorf("%q is no attribute that a mapping can write%s", l.Target, meant(l.Target, append(Targets(), Active)))
	}
	if err := l.checkEmpty(); err != nil {
		return err
	}
	if l.Source == None && l.Target == roster.AttrUserName {
		return fmt.Errorf("%s can't be %s: a member has to have one", l.Target, None)
	}
	source, e, err := compile(l.Target, l.Source, m.known)
	if err != nil {
		return err
	}
	m.Member, m.programs, m.empty = copied(m.Member), copied(m.programs), copied(m.empty)
	put(m.Member, m.programs, l.Target, source, e)
	delete(m.empty, l.Target)
	if l.Default != "" || l.Clear {
		m.empty[l.Target] = whenEmpty{storable(l.Default), l.Clear}
	}
	return nil
}

func (l *Line) checkEmpty() error {
	switch {
	case l.Source == None && (l.Default != "" || l.Clear):
		return fmt.Errorf("%s is %s, and has neither a default nor empty then", l.Target, None)
	case l.Default != "" && l.Clear:
		return fmt.Errorf("%s has a default, so that it is never empty: take empty: clear out", l.Target)
	case l.Clear && (l.Target == roster.AttrUserName || l.Target == roster.AttrExternalID):
		return fmt.Errorf("%s can't be cleared: people are told apart by it", l.Target)
	case len(l.Default) > maxText:
		return fmt.Errorf("the default of %s: %w", l.Target, tooLong())
	}
	return nil
}

// TeamTargets returns the attributes that a mapping of teams may write.
func TeamTargets() []string { return []string{roster.AttrDisplayName, roster.AttrExternalID} }

// WriteTeam is Write for an attribute of teams.
func (m *Mapping) WriteTeam(target, source string) error {
	source = strings.TrimSpace(source)
	switch {
	case !slices.Contains(TeamTargets(), target):
		return fmt.Errorf("%q is no attribute of teams that a mapping can write%s", target, meant(target, TeamTargets()))
	case source == None && target == roster.AttrDisplayName:
		return fmt.Errorf("%s of teams can't be %s: a team has to have one", target, None)
	}
	source, e, err := compile(target, source, func(name string) error {
		if known := append([]string{ObjectID}, m.ofGroups...); !slices.Contains(known, name) {
			return fmt.Errorf("%q is no attribute of a group%s: write one of %s", name, meant(name, known), strings.Join(known, ", "))
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.Team, m.teams = copied(m.Team), copied(m.teams)
	put(m.Team, m.teams, target, source, e)
	return nil
}

// compile reads a source; the expression is nil where it is none.
func compile(target, source string, known func(string) error) (string, *Expression, error) {
	text, isExpression := strings.CutPrefix(source, "=")
	switch {
	case source == None:
		return None, nil, nil
	case isExpression:
		e, err := NewExpression(text, known)
		if err != nil {
			return "", nil, fmt.Errorf("the expression of %s, %w", target, err)
		}
		return "= " + strings.TrimSpace(text), e, nil
	}
	if err := checkSource(source, known); err != nil {
		return "", nil, fmt.Errorf("%s: %w", target, err)
	}
	return source, nil, nil
}

func checkSource(source string, known func(string) error) error {
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`).MatchString(source) {
		return fmt.Errorf("%q is no attribute's name; an expression begins with =", source)
	}
	if known == nil {
		return nil
	}
	return known(source)
}

func copied[V any](of map[string]V) map[string]V {
	if of == nil {
		return map[string]V{}
	}
	return maps.Clone(of)
}

func put(sources map[string]string, programs map[string]*Expression, target, source string, e *Expression) {
	delete(programs, target)
	switch {
	case source == None:
		delete(sources, target)
		return
	case e != nil:
		programs[target] = e
	}
	sources[target] = source
}

// Sources returns the attributes of a person that the mapping reads and the IdP has to be asked for, sorted.
func (m Mapping) Sources() []string {
	return slices.DeleteFunc(m.reads(), func(name string) bool { return m.states[name] != nil })
}

// reads are all that the mapping reads, but for the object's id.
func (m *Mapping) reads() []string {
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
	for _, name := range slices.Concat(m.active.sources(), m.scope.sources()) {
		all[name] = true
	}
	delete(all, ObjectID)
	return slices.Sorted(maps.Keys(all))
}
