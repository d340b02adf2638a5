package idpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// oktaStamp is how Okta writes times; nil for none.
func oktaStamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// renderOktaUser follows the page "Users".
func renderOktaUser(u *OktaUser, base string) object {
	profile := object{"mobilePhone": nil, "secondEmail": nil}
	for _, p := range u.Profile.values() {
		if p.value != "" {
			profile[p.path] = p.value
		}
	}
	return object{
		"id": u.ID, "status": string(u.Status), "created": oktaStamp(u.Created), "activated": oktaStamp(u.Activated),
		"statusChanged": oktaStamp(u.StatusChanged), "lastLogin": nil, "lastUpdated": oktaStamp(u.LastUpdated),
		"passwordChanged": nil, "type": object{"id": "oty00000000000000sim"}, "profile": profile,
		"credentials": object{"provider": object{"type": "OKTA", "name": "OKTA"}},
		"_links":      object{"self": object{"href": base + "/users/" + u.ID}},
	}
}

// listUsers answers the page "Users", "List all users": without filter or search those with status DEPROVISIONED are left
// out.
func (t *OktaTenant) listUsers(d *oktaDirectory, r *request) oktaReply {
	where, rep := oktaWhere(r, []string{"id", "status", "created", "activated", "statusChanged", "lastUpdated", "profile"})
	if rep != nil {
		return *rep
	}
	ids, narrowed := where.candidates(d.findUsers)
	if !narrowed {
		ids = d.userIDs.ids
	}
	q := fold(r.query.Get("q"))
	return t.page(r, oktaList{ids: ids, standard: 200, most: 200, get: func(id string) object {
		u := d.users[id]
		if u == nil || where == nil && u.Status == OktaDeprovisioned || q != "" && !u.starts(q) || !where.holds(u.property) {
			return nil
		}
		return renderOktaUser(u, r.base)
	}})
}

// property is what a filter compares.
func (u *OktaUser) property(path string) string {
	at := func(t time.Time) string {
		s, _ := oktaStamp(t).(string)
		return s
	}
	switch path {
	case "id":
		return u.ID
	case "status":
		return string(u.Status)
	case "created":
		return at(u.Created)
	case "activated":
		return at(u.Activated)
	case "statusChanged":
		return at(u.StatusChanged)
	case "lastUpdated":
		return at(u.LastUpdated)
	}
	name, _ := strings.CutPrefix(path, "profile/")
	for _, p := range u.Profile.values() {
		if p.path == name {
			return p.value
		}
	}
	return "null"
}

// values are the attributes of a profile under Okta's names.
func (p OktaProfile) values() []attr {
	return []attr{
		{"login", p.Login}, {"email", p.Email}, {"firstName", p.FirstName}, {"lastName", p.LastName},
		{"displayName", p.DisplayName}, {"title", p.Title}, {"department", p.Department}, {"locale", p.Locale},
	}
}

// starts is what the parameter q looks at.
func (u *OktaUser) starts(q string) bool {
	return slices.ContainsFunc([]string{u.Profile.FirstName, u.Profile.LastName, u.Profile.Email}, func(s string) bool {
		return strings.HasPrefix(fold(s), q)
	})
}

// findUsers narrows a filter down by an index.
func (d *oktaDirectory) findUsers(prop string, values []string) ([]string, bool) {
	var ids []string
	for _, v := range values {
		switch prop {
		case "id":
			if d.users[v] != nil {
				ids = append(ids, v)
			}
		case "profile/login":
			if id := d.logins[fold(v)]; id != "" {
				ids = append(ids, id)
			}
		case "profile/email":
			ids = append(ids, d.emails.find([]string{v}, d.logins, func(id, mail string) bool {
				return fold(d.users[id].Profile.Email) == mail
			})...)
		default:
			return nil, false
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}

// getUser answers the page "Users", "Retrieve a user": by id or login.
func (t *OktaTenant) getUser(d *oktaDirectory, r *request) oktaReply {
	u := d.resolve(r.params[0])
	if u == nil {
		return oktaNotFound(r.params[0], "User")
	}
	return oktaReply{status: http.StatusOK, body: renderOktaUser(u, r.base)}
}

// userGroups answers the page "User Resources", "List all groups".
func (t *OktaTenant) userGroups(d *oktaDirectory, r *request) oktaReply {
	u := d.resolve(r.params[0])
	if u == nil {
		return oktaNotFound(r.params[0], "User")
	}
	return t.page(r, oktaList{ids: d.memberOf[u.ID].all(), standard: 1000, most: 1000, get: func(id string) object {
		return renderOktaGroup(d.groups[id], r.base)
	}})
}

// renderOktaGroup follows the page "Groups".
func renderOktaGroup(g *OktaGroup, base string) object {
	if g == nil {
		return nil
	}
	return object{
		"id": g.ID, "created": oktaStamp(g.Created), "lastUpdated": oktaStamp(g.LastUpdated),
		"lastMembershipUpdated": oktaStamp(g.LastMembershipUpdated), "objectClass": []string{"okta:user_group"},
		"type": "OKTA_GROUP", "profile": object{"name": g.Name, "description": orNull(g.Description)},
		"_links": object{"users": object{"href": base + "/groups/" + g.ID + "/users"}},
	}
}

// listGroups answers the page "Groups", "List all groups". The parameter filter takes fewer attributes than search does,
// and of times only eq, gt and lt.
func (t *OktaTenant) listGroups(d *oktaDirectory, r *request) oktaReply {
	known := []string{"id", "type", "created", "lastUpdated", "lastMembershipUpdated", "objectClass", "profile"}
	where, rep := oktaWhere(r, known)
	if rep != nil {
		return *rep
	}
	if filter, err := parseOktaFilter(r.query.Get("filter")); err != nil || !filter.ofGroups() {
		return oktaBadSearch("filter: an attribute or operator that it does not take")
	}
	q := fold(r.query.Get("q"))
	return t.page(r, oktaList{ids: d.groupIDs.ids, standard: 10_000, most: 10_000, get: func(id string) object {
		g := d.groups[id]
		if q != "" && !strings.HasPrefix(fold(g.Name), q) {
			return nil
		}
		out := renderOktaGroup(g, r.base)
		if !where.matches(out) {
			return nil
		}
		return out
	}})
}

// ofGroups says whether a clause holds only what the parameter filter of groups takes.
func (c *clause) ofGroups() bool {
	switch {
	case c == nil:
		return true
	case c.left != nil:
		return c.left.ofGroups() && c.right.ofGroups()
	}
	operators := []string{"eq"}
	if c.prop == "lastUpdated" || c.prop == "lastMembershipUpdated" {
		operators = append(operators, "gt", "lt")
	}
	return c.unknown([]string{"id", "type", "lastUpdated", "lastMembershipUpdated"}) == "" && slices.Contains(operators, c.op)
}

func (t *OktaTenant) getGroup(d *oktaDirectory, r *request) oktaReply {
	g := d.groups[r.params[0]]
	if g == nil {
		return oktaNotFound(r.params[0], "UserGroup")
	}
	return oktaReply{status: http.StatusOK, body: renderOktaGroup(g, r.base)}
}

// groupUsers answers the page "Groups", "List all member users".
func (t *OktaTenant) groupUsers(d *oktaDirectory, r *request) oktaReply {
	if d.groups[r.params[0]] == nil {
		return oktaNotFound(r.params[0], "UserGroup")
	}
	return t.page(r, oktaList{ids: d.members[r.params[0]].all(), standard: 1000, most: 1000, get: func(id string) object {
		return renderOktaUser(d.users[id], r.base)
	}})
}

// oktaWhere parses the parameters filter and search (page "User query options"); nil matches everything. Of the
// operators it knows eq, ne, gt, ge, lt and le, joined by and/or.
func oktaWhere(r *request, known []string) (*clause, *oktaReply) {
	var where *clause
	for _, param := range []string{"filter", "search"} {
		c, err := parseOktaFilter(r.query.Get(param))
		if unknown := c.unknown(known); err == nil && unknown != "" {
			err = fmt.Errorf("attribute %q", unknown)
		}
		if err != nil {
			rep := oktaBadSearch(err.Error())
			return nil, &rep
		}
		switch {
		case where == nil:
			where = c
		case c != nil:
			where = &clause{op: "and", left: where, right: c}
		}
	}
	return where, nil
}

func oktaBadSearch(cause string) oktaReply {
	rep := oktaError(http.StatusBadRequest, "E0000031", "Invalid search criteria.")
	if body, ok := rep.body.(object); ok {
		body["errorCauses"] = []any{object{"errorSummary": cause}}
	}
	return rep
}

// parseOktaFilter parses a filter in SCIM's grammar, which differs from OData's in its path separators and its values,
// which are JSON's.
func parseOktaFilter(s string) (*clause, error) {
	var out strings.Builder
	for rest := s; rest != ""; {
		before, after, quoted := strings.Cut(rest, `"`)
		out.WriteString(before)
		if !quoted {
			break
		}
		var value string
		from := json.NewDecoder(strings.NewReader(`"` + after))
		if err := from.Decode(&value); err != nil {
			return nil, fmt.Errorf("the value after %q is no JSON string", before)
		}
		out.WriteString("'" + strings.ReplaceAll(value, "'", "''") + "'")
		rest = after[from.InputOffset()-1:]
	}
	c, err := parseFilter(out.String(), "sw", "co")
	c.slashed()
	return c, err
}

// slashed turns paths into those that matches looks up, and times into the form in which they are rendered.
func (c *clause) slashed() {
	if c == nil {
		return
	}
	c.left.slashed()
	c.right.slashed()
	c.prop = strings.ReplaceAll(c.prop, ".", "/")
	if strings.HasPrefix(c.prop, "profile/") {
		return
	}
	for i, v := range c.values {
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			c.values[i], _ = oktaStamp(at).(string)
		}
	}
}
