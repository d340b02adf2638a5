package idpsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// userEntity follows the page "user resource type": what /users returns without $select leaves out accountEnabled.
func userEntity() entity {
	standard := []string{
		"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
		"preferredLanguage", "surname", "userPrincipalName", "id",
	}
	return entity{typ: "user", standard: standard, all: append([]string{
		"accountEnabled", "createdDateTime", "deletedDateTime", "department", "mailNickname", "userType", "employeeId",
		"companyName", "usageLocation", "externalUserState", "onPremisesSyncEnabled", "otherMails", "proxyAddresses",
	}, standard...)}
}

func groupEntity() entity {
	standard := []string{
		"id", "deletedDateTime", "classification", "createdDateTime", "description", "displayName", "groupTypes", "mail",
		"mailEnabled", "mailNickname", "onPremisesSyncEnabled", "proxyAddresses", "securityEnabled", "visibility",
	}
	return entity{typ: "group", standard: standard, all: append([]string{"isAssignableToRole"}, standard...)}
}

func renderUser(u *User) object {
	if u == nil {
		return nil
	}
	return object{
		"@odata.type": "#microsoft.graph.user", "id": u.ObjectID, "userPrincipalName": u.UserPrincipalName,
		"mail": orNull(u.Mail), "mailNickname": orNull(u.MailNickname), "displayName": orNull(u.DisplayName),
		"givenName": orNull(u.GivenName), "surname": orNull(u.Surname), "jobTitle": orNull(u.JobTitle),
		"department": orNull(u.Department), "accountEnabled": !u.Disabled, "createdDateTime": stamp(u.Created),
		"businessPhones": []string{}, "otherMails": []string{}, "proxyAddresses": []string{"SMTP:" + u.Mail},
		"userType": "Member",
	}
}

func renderGroup(g *Group) object {
	if g == nil {
		return nil
	}
	return object{
		"@odata.type": "#microsoft.graph.group", "id": g.ObjectID, "displayName": g.DisplayName,
		"description": orNull(g.Description), "createdDateTime": stamp(g.Created), "groupTypes": []string{},
		"mailEnabled": false, "mailNickname": g.ObjectID[:8], "securityEnabled": true, "proxyAddresses": []string{},
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// listUsers answers the page "List users".
func (t *Tenant) listUsers(d *directory, r *request) reply {
	l := list{
		entity: userEntity(), context: "users", ids: d.userIDs.ids, size: t.cfg.PageSize,
		get: func(id string) object { return renderUser(d.users[id]) },
	}
	if where, err := parseFilter(r.query.Get("$filter")); err == nil {
		if ids, ok := where.candidates(d.findUsers); ok {
			l.ids = ids
		}
	}
	return r.page(l)
}

// findUsers looks people up by what a filter may be answered from without reading everyone.
func (d *directory) findUsers(prop string, values []string) ([]string, bool) {
	var out []string
	switch prop {
	case "id":
		for _, v := range values {
			out = append(out, strings.ToLower(v))
		}
	case "userPrincipalName":
		for _, v := range values {
			if id := d.upns[fold(v)]; id != "" {
				out = append(out, id)
			}
		}
	case "mail":
		return d.mails.find(values, d.upns, func(id, mail string) bool { return fold(d.users[id].Mail) == mail }), true
	default:
		return nil, false
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

// getUser answers the page "Get a user", by id or userPrincipalName.
func (t *Tenant) getUser(d *directory, r *request) reply {
	u := d.resolve(r.params[0])
	if u == nil {
		return notFound(r.params[0])
	}
	return r.one(userEntity(), "users", renderUser(u))
}

// userMemberOf lists the groups that hold a user directly (page "List a user's direct memberships").
func (t *Tenant) userMemberOf(d *directory, r *request) reply {
	u := d.resolve(r.params[0])
	if u == nil {
		return notFound(r.params[0])
	}
	return r.page(list{
		entity: groupEntity(), context: "directoryObjects", ids: d.memberOf[u.ObjectID].all(), size: t.cfg.PageSize,
		cast: true, get: func(id string) object { return renderGroup(d.groups[id]) },
	})
}

// userTransitiveMemberOf lists the groups that hold a user, and those that hold one of these (page "List a user's memberships
// (direct and transitive)").
func (t *Tenant) userTransitiveMemberOf(d *directory, r *request) reply {
	u := d.resolve(r.params[0])
	if u == nil {
		return notFound(r.params[0])
	}
	return r.page(list{
		entity: groupEntity(), context: "directoryObjects", ids: d.holders(u.ObjectID), size: t.cfg.PageSize,
		cast: true, get: func(id string) object { return renderGroup(d.groups[id]) },
	})
}

// holders lists the groups that hold an object, and those that hold one of these, sorted.
func (d *directory) holders(id string) []string {
	seen := map[string]bool{}
	queue := []string{id}
	for len(queue) > 0 {
		for _, g := range d.memberOf[queue[0]].all() {
			if !seen[g] {
				seen[g] = true
				queue = append(queue, g)
			}
		}
		queue = queue[1:]
	}
	return slices.Sorted(maps.Keys(seen))
}

// checkMemberGroups answers the page "directoryObject: checkMemberGroups", which is transitive.
func (t *Tenant) checkMemberGroups(d *directory, r *request) reply {
	u := d.resolve(r.params[0])
	if u == nil {
		return notFound(r.params[0])
	}
	var in struct {
		GroupIDs []string `json:"groupIds"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil || len(in.GroupIDs) > 20 {
		return fail(http.StatusBadRequest, "Request_BadRequest", "Invalid value specified for property 'groupIds'.")
	}
	held := []string{}
	for _, g := range in.GroupIDs {
		if _, in := slices.BinarySearch(t.transitive(d, g), u.ObjectID); in {
			held = append(held, g)
		}
	}
	return reply{status: http.StatusOK, body: object{"@odata.context": r.base + "/$metadata#Collection(Edm.String)", "value": held}}
}

// listGroups answers the page "List groups".
func (t *Tenant) listGroups(d *directory, r *request) reply {
	l := list{
		entity: groupEntity(), context: "groups", ids: d.groupIDs.ids, size: t.cfg.PageSize,
		get: func(id string) object { return renderGroup(d.groups[id]) },
	}
	if where, err := parseFilter(r.query.Get("$filter")); err == nil {
		if ids, ok := where.candidates(d.findGroups); ok {
			l.ids = ids
		}
	}
	return r.page(l)
}

func (d *directory) findGroups(prop string, values []string) ([]string, bool) {
	if prop != "id" {
		return nil, false
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, strings.ToLower(v))
	}
	return out, true
}

// getGroup answers the page "Get group".
func (t *Tenant) getGroup(d *directory, r *request) reply {
	g := d.groups[r.params[0]]
	if g == nil {
		return notFound(r.params[0])
	}
	return r.one(groupEntity(), "groups", renderGroup(g))
}

// listMembers answers the page "List group members": direct members of every type, each with its @odata.type. Without
// permission to read users, those come with their id alone.
func (t *Tenant) listMembers(d *directory, r *request) reply {
	return t.members(d, r, d.members[r.params[0]].all())
}

// listUserMembers answers the same list cast to users.
func (t *Tenant) listUserMembers(d *directory, r *request) reply {
	return t.userMembers(d, r, d.members[r.params[0]].all())
}

// transitiveMembers answers the page "List group transitive members".
func (t *Tenant) transitiveMembers(d *directory, r *request) reply {
	return t.members(d, r, t.transitive(d, r.params[0]))
}

func (t *Tenant) transitiveUsers(d *directory, r *request) reply {
	return t.userMembers(d, r, t.transitive(d, r.params[0]))
}

func (t *Tenant) members(d *directory, r *request, ids []string) reply {
	if d.groups[r.params[0]] == nil {
		return notFound(r.params[0])
	}
	e, limited := userEntity(), t.denied(UserReadAll)
	for _, f := range groupEntity().all { // a directoryObject may be of any type
		if !slices.Contains(e.all, f) {
			e.all = append(e.all, f)
		}
	}
	return r.page(list{
		entity: e, context: "directoryObjects", ids: ids, size: t.cfg.PageSize, cast: true,
		has: func(id string) bool { return d.users[id] != nil || d.groups[id] != nil },
		get: func(id string) object {
			u := d.users[id]
			if u == nil {
				return renderGroup(d.groups[id])
			}
			if limited {
				return object{"@odata.type": "#microsoft.graph.user", "id": id}
			}
			return renderUser(u)
		},
	})
}

func (t *Tenant) userMembers(d *directory, r *request, ids []string) reply {
	if d.groups[r.params[0]] == nil {
		return notFound(r.params[0])
	}
	return r.page(list{
		entity: userEntity(), context: "users", ids: ids, size: t.cfg.PageSize,
		get: func(id string) object { return renderUser(d.users[id]) }, has: func(id string) bool { return d.users[id] != nil },
	})
}

// reached keeps what transitive found out about one version of the directory: it is asked for page by page.
type reached struct {
	mu      sync.Mutex
	version int
	by      map[string][]string
}

// transitive lists the members of a group and of the groups in it, sorted. The caller must not alter it.
func (t *Tenant) transitive(d *directory, group string) []string {
	t.reached.mu.Lock()
	defer t.reached.mu.Unlock()
	if t.reached.by == nil || t.reached.version != d.version {
		t.reached.version, t.reached.by = d.version, map[string][]string{}
	}
	ids, ok := t.reached.by[group]
	if !ok {
		ids = d.reach(group)
		t.reached.by[group] = ids
	}
	return ids
}

func (d *directory) reach(group string) []string {
	nested := func(g string) bool { return d.members[group].has(g) }
	if !slices.ContainsFunc(d.groupIDs.ids, nested) {
		return slices.Clone(d.members[group].all())
	}
	seen := map[string]bool{}
	queue := []string{group}
	for len(queue) > 0 {
		for _, m := range d.members[queue[0]].all() {
			if !seen[m] {
				seen[m] = true
				queue = append(queue, m)
			}
		}
		queue = queue[1:]
	}
	out := make([]string, 0, len(seen))
	for id := range seen {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// deletedUserEntity is userEntity with deletedDateTime among what is returned by itself.
func deletedUserEntity() entity {
	e := userEntity()
	e.standard = append(e.standard, "deletedDateTime")
	return e
}

// renderDeleted follows the page "List deletedItems (directory objects)": the userPrincipalName is freed by putting the
// object id before it.
func renderDeleted(g *deletedUser) object {
	if g == nil {
		return nil
	}
	out := renderUser(&g.user)
	out["deletedDateTime"] = stamp(g.at)
	out["userPrincipalName"] = strings.ReplaceAll(g.user.ObjectID, "-", "") + g.user.UserPrincipalName
	return out
}

func (t *Tenant) listDeleted(d *directory, r *request) reply {
	return r.page(list{
		entity: deletedUserEntity(), context: "users", ids: d.goneIDs.ids, size: t.cfg.PageSize,
		get: func(id string) object { return renderDeleted(d.deleted[id]) },
	})
}

func (t *Tenant) getDeleted(d *directory, r *request) reply {
	g := d.deleted[r.params[0]]
	if g == nil {
		return notFound(r.params[0])
	}
	return r.one(deletedUserEntity(), "users", renderDeleted(g))
}
