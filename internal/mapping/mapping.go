// Package mapping turns what an identity provider says of a person or group into the member or team that is wanted. It
// is pure.
package mapping

import (
	"encoding/hex"
	"sort"
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// Mapping says what each managed attribute is taken from: an attribute of the IdP's record, or an expression over several.
type Mapping struct {
	Member map[string]string // our attribute path to the IdP's attribute, or to "= " and an expression: see Write
	Team   map[string]string // displayName and externalId; ObjectID stands for the object's id
	// MemberID is the attribute in which the IdP keeps our id of a person; "" where it keeps none.
	MemberID string

	programs map[string]*Expression // of the members' attributes whose source is an expression
	teams    map[string]*Expression // of the teams' attributes, likewise
	empty    map[string]whenEmpty   // of the members' attributes with a rule of their own for that
	active   *condition             // nil: who is enabled is what the IdP says
	scope    *condition             // nil: who is in scope is what the IdP says
	states   map[string]func(*connectors.User) bool
	known    func(string) error // checks the name of an attribute of the IdP; nil: any will do
	ofGroups []string           // the attributes of a group
}

// whenEmpty is what holds where a source gives nothing.
type whenEmpty struct {
	value string // written in its place
	clear bool   // what is stored goes
}

// ObjectID is the IdP's object id as a mapping's source.
const ObjectID = "objectId"

// Entra returns the mapping of the tables "User Attribute Mappings" and "Group Attribute Mappings" that an Entra
// application is set up with; a user's externalId is not among them.
func Entra() Mapping {
	return Mapping{
		Member: map[string]string{
			roster.AttrUserName:    "userPrincipalName",
			roster.AttrWorkEmail:   "mail",
			roster.AttrDisplayName: "displayName",
			roster.AttrGivenName:   "givenName",
			roster.AttrFamilyName:  "surname",
		},
		Team:     map[string]string{roster.AttrDisplayName: "displayName", roster.AttrExternalID: ObjectID},
		known:    knownToEntra,
		states:   entraStates(),
		ofGroups: []string{"displayName", "description", "mail", "mailNickname"},
	}
}

// Okta returns the mapping of an Okta application's users, whose attributes are those of their profile in the application,
// and of the groups that it pushes. Okta's group push sends no externalId.
func Okta() Mapping {
	return Mapping{
		Member: map[string]string{
			roster.AttrUserName:    "userName", // credentials.userName
			roster.AttrWorkEmail:   "email",
			roster.AttrDisplayName: "displayName",
			roster.AttrGivenName:   "firstName", // or givenName, as the connector finds it
			roster.AttrFamilyName:  "lastName",
		},
		Team:     map[string]string{roster.AttrDisplayName: "name"},
		MemberID: "appUserExternalId", // what our server answered Okta's create with
		ofGroups: []string{"name", "description"},
	}
}

// SCIM returns the mapping of a SCIM server's users and groups, whose attributes are the same there and here. externalId is
// not among them: it is what that server's own clients call an object.
func SCIM() Mapping {
	return Mapping{
		Member: map[string]string{
			roster.AttrUserName:    "userName",
			roster.AttrWorkEmail:   "email",
			roster.AttrDisplayName: "displayName",
			roster.AttrGivenName:   "name.givenName",
			roster.AttrFamilyName:  "name.familyName",
		},
		Team:     map[string]string{roster.AttrDisplayName: "displayName"},
		known:    knownToSCIM,
		states:   scimStates(),
		ofGroups: []string{"displayName", "externalId"},
	}
}

// Managed returns the attribute paths that the mapping writes, sorted.
func (m Mapping) Managed() []string {
	out := make([]string, 0, len(m.Member))
	for path := range m.Member {
		out = append(out, path)
	}
	sort.Strings(out)
	return out
}

// Whole says for each managed attribute what it is taken from, a default written as Coalesce.
func (m Mapping) Whole() map[string]string {
	out := make(map[string]string, len(m.Member))
	for path, source := range m.Member {
		if out[path] = source; m.empty[path].value != "" {
			out[path] = "= Coalesce(" + strings.TrimPrefix(source, "= ") + ", " + strconv.Quote(m.empty[path].value) + ")"
		}
	}
	return out
}

// Lines says for each managed attribute where it comes from, in words for a person.
func (m Mapping) Lines() map[string]string {
	out := make(map[string]string, len(m.Member))
	for path, source := range m.Member {
		out[path] = path + " <- " + source
	}
	return out
}

// Fingerprint digests the mapping: runs after a change of it are guarded as first ones.
func (m Mapping) Fingerprint() string {
	all := map[string]string{}
	for k, v := range m.Member {
		all["member "+k] = v
	}
	for k, v := range m.Team {
		all["team "+k] = v
	}
	for k, v := range m.empty {
		all["default "+k] = v.value
		if v.clear {
			all["clear "+k] = isTrue
		}
	}
	for k, v := range map[string]string{"member id": m.MemberID, Active: m.ActiveSource(), Scope: m.ScopeExpression()} {
		if v != "" {
			all[k] = v
		}
	}
	return hex.EncodeToString(roster.Fingerprint(all))
}

// ToMember maps a person, and says by the mapping's scope and by what it has for active whether they are in scope and
// enabled. Every managed attribute is there, empty where the IdP has none; one whose expression can't be worked out for this
// person is left out, with a Problem that names it.
func (m Mapping) ToMember(u *connectors.User, at connectors.Stamp) roster.WantedMember {
	w := roster.WantedMember{
		ObjectID: u.ObjectID, Enabled: u.Enabled && u.Gone == "", Keep: u.Keep, Gone: u.Gone, OutOfScope: u.OutOfScope, Stamp: int64(at), Scope: u.Scope,
		Values: make(map[string]string, len(m.Member)),
	}
	if m.MemberID != "" {
		w.MemberID = storable(u.Attributes[m.MemberID])
	}
	get := m.reader(u)
	for _, path := range m.Managed() {
		v, err := m.value(path, get)
		if err != nil {
			problem(&w, path, err)
			continue
		}
		if w.Values[path] = v; v == "" && m.empty[path].clear {
			w.Clear = append(w.Clear, path)
		}
	}
	if u.Gone == "" {
		m.decide(&w, get)
	}
	return w
}

// value works one attribute of a member out.
func (m *Mapping) value(path string, get func(string) string) (string, error) {
	v := ""
	if e := m.programs[path]; e == nil {
		v = get(m.Member[path])
	} else {
		text, err := e.Text(get)
		if err != nil {
			return "", err
		}
		v = storable(text)
	}
	if v == "" {
		v = m.empty[path].value
	}
	return v, nil
}

// reader reads what a mapping calls a person's attributes.
func (m *Mapping) reader(u *connectors.User) func(name string) string {
	return func(name string) string {
		if name == ObjectID {
			return u.ObjectID
		}
		if state := m.states[name]; state != nil {
			return asText(state(u))
		}
		return storable(u.Attributes[name])
	}
}

// ToTeam maps a group. What an expression can't work out for it is empty, which changes nothing here.
func (m Mapping) ToTeam(g *connectors.Group, at connectors.Stamp) roster.WantedTeam {
	get := func(name string) string {
		if name == ObjectID {
			return g.ObjectID
		}
		return storable(g.Attributes[name])
	}
	value := func(path string) string {
		e := m.teams[path]
		if e == nil {
			return get(m.Team[path])
		}
		v, err := e.Text(get)
		if err != nil {
			return ""
		}
		return storable(v)
	}
	return roster.WantedTeam{
		ObjectID: g.ObjectID, DisplayName: value(roster.AttrDisplayName), ExternalID: value(roster.AttrExternalID), Stamp: int64(at),
	}
}

// storable drops what a database can't hold as text: NUL, and bytes that are not UTF-8.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
