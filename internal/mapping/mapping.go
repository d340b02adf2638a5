// Package mapping turns what an identity provider says of a person or group into the member or team that is wanted. It
// is pure.
package mapping

import (
	"encoding/hex"
	"sort"
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

	programs map[string]*Expression // of the attributes whose source is an expression
	known    func(string) error     // checks the name of an attribute of the IdP; nil: any will do
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
		Team:  map[string]string{roster.AttrDisplayName: "displayName", roster.AttrExternalID: ObjectID},
		known: knownToEntra,
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
		Team:  map[string]string{roster.AttrDisplayName: "displayName"},
		known: knownToSCIM,
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
	if m.MemberID != "" {
		all["member id"] = m.MemberID
	}
	return hex.EncodeToString(roster.Fingerprint(all))
}

// ToMember maps a person. Every managed attribute is there, empty where the IdP has none; one whose expression can't be
// worked out for this person is left out, with a Problem that names it.
func (m Mapping) ToMember(u *connectors.User, at connectors.Stamp) roster.WantedMember {
	w := roster.WantedMember{
		ObjectID: u.ObjectID, Enabled: u.Enabled && u.Gone == "", Keep: u.Keep, Gone: u.Gone, Stamp: int64(at), Scope: u.Scope,
		Values: make(map[string]string, len(m.Member)),
	}
	if m.MemberID != "" {
		w.MemberID = storable(u.Attributes[m.MemberID])
	}
	get := func(name string) string {
		if name == ObjectID {
			return u.ObjectID
		}
		return storable(u.Attributes[name])
	}
	for _, path := range m.Managed() {
		e := m.programs[path]
		if e == nil {
			w.Values[path] = get(m.Member[path])
			continue
		}
		v, err := e.Text(get)
		if err != nil {
			w.Problem = strings.TrimPrefix(w.Problem+"; "+path+": "+err.Error(), "; ")
			continue
		}
		w.Values[path] = storable(v)
	}
	return w
}

// ToTeam maps a group.
func (m Mapping) ToTeam(g *connectors.Group, at connectors.Stamp) roster.WantedTeam {
	value := func(path string) string {
		if m.Team[path] == ObjectID {
			return g.ObjectID
		}
		return storable(g.Attributes[m.Team[path]])
	}
	return roster.WantedTeam{
		ObjectID: g.ObjectID, DisplayName: value(roster.AttrDisplayName), ExternalID: value(roster.AttrExternalID), Stamp: int64(at),
	}
}

// storable drops what a database can't hold as text: NUL, and bytes that are not UTF-8.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
