package scim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// Attributes that a person has besides those that stand in the user's resource under the same name.
const (
	attrEmail    = "email" // the work address, else the primary one, else the first
	attrUserName = "userName"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// userAttributes are those of a person: the simple ones of the core schema and of the enterprise extension (RFC 7643
// sections 4.1 and 4.3), whose names are given without its URN.
func userAttributes() map[string][]string {
	out := map[string][]string{}
	for _, name := range []string{
		attrUserName, "externalId", "displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone",
		"name.formatted", "name.givenName", "name.familyName", "name.middleName",
	} {
		out[name] = strings.Split(name, ".")
	}
	for _, name := range []string{"employeeNumber", "costCenter", "organization", "division", "department"} {
		out[name] = []string{enterprise, name}
	}
	return out
}

// resource is a user or group as the server gives it.
type resource map[string]json.RawMessage

// at finds a value by its path; names are case-insensitive (RFC 7643 section 2.1).
func (r resource) at(path ...string) (found json.RawMessage) {
	for _, step := range path {
		found = nil
		for name, v := range r {
			if strings.EqualFold(name, step) {
				found = v
			}
		}
		r = nil
		_ = json.Unmarshal(found, &r) // what is not complex has nothing inside
	}
	return found
}

// text returns a simple value as text, and nothing of a complex one.
func (r resource) text(path ...string) string {
	v := r.at(path...)
	var s string
	switch {
	case len(v) == 0 || v[0] == '{' || v[0] == '[' || string(v) == "null":
		return ""
	case json.Unmarshal(v, &s) == nil:
		return s
	default:
		return string(v)
	}
}

func (r resource) all(name string) []resource {
	var out []resource
	if json.Unmarshal(r.at(name), &out) != nil {
		return nil
	}
	return out
}

func (r resource) email() string {
	best, rank := "", 0
	for _, e := range r.all("emails") {
		is := 1
		switch {
		case strings.EqualFold(e.text("type"), "work"):
			is = 3
		case strings.EqualFold(e.text("primary"), "true"):
			is = 2
		}
		if v := e.text("value"); v != "" && is > rank {
			best, rank = v, is
		}
	}
	return best
}

// user turns a resource into a person. Whoever is not called inactive is enabled: active has no default, and there are
// servers that give it only when it is false.
func (r resource) user(scope string) (connectors.User, error) {
	u := connectors.User{
		ObjectID: r.text("id"), Enabled: !strings.EqualFold(r.text("active"), "false"), Scope: scope,
		Attributes: map[string]string{attrEmail: r.email()},
	}
	for name, path := range userAttributes() {
		if v := r.text(path...); v != "" {
			u.Attributes[name] = v
		}
	}
	return u, checkID(u.ObjectID)
}

func (r resource) group() (connectors.Group, error) {
	g := connectors.Group{ObjectID: r.text("id"), Attributes: map[string]string{
		"displayName": r.text("displayName"), "externalId": r.text("externalId"),
	}}
	return g, checkID(g.ObjectID)
}

// people returns the ids of a group's members who are users. A nested group is one by its type or its $ref; without
// either, a member is taken for a user (RFC 7643 section 4.2).
func (r resource) people() ([]string, error) {
	raw := r.at("members")
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var members []resource
	if json.Unmarshal(raw, &members) != nil {
		return nil, ask{what: "a group's members"}.broken("an answer whose members are no list of objects")
	}
	ids := make([]string, 0, len(members))
	for _, m := range members {
		if kind := m.text("type"); strings.EqualFold(kind, "Group") || kind == "" && refersToGroup(m.text("$ref")) {
			continue
		}
		id := m.text("value")
		if err := checkID(id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func refersToGroup(ref string) bool {
	u, err := url.Parse(ref)
	return err == nil && strings.Contains(u.Path, "/Groups/")
}

// maxID bounds an id, which stands in a request's path.
const maxID = 1024

func checkID(id string) error {
	if id == "" || len(id) > maxID || id == "." || id == ".." {
		return &connectors.Error{Fault: connectors.Broken, Message: fmt.Sprintf("%.80q is not an id of a SCIM resource", id)}
	}
	return nil
}

// quoted is a string in a filter, which is a JSON string (RFC 7644 section 3.4.2.2).
func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}
