package idpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scoping is what decides who is in scope beside the assignments: the portal's "Scope", the scoping filters, and what
// becomes of who goes out of scope.
type scoping struct {
	all, skip     bool
	users, groups []ScopeGroup
}

// SyncAll switches between "Sync all users and groups" and "Sync only assigned users and groups".
func (t *Tenant) SyncAll(on bool) { t.setSecret("SyncAll", strconv.FormatBool(on)) }

// SkipOutOfScopeDeletions says whether accounts of who goes out of scope are left alone (page "Skip deletion of user accounts
// that go out of scope").
func (t *Tenant) SkipOutOfScopeDeletions(on bool) {
	t.setSecret("SkipOutOfScopeDeletions", map[bool]string{true: "True", false: "False"}[on])
}

func (t *Tenant) setSecret(key, value string) {
	t.state.Lock()
	defer t.state.Unlock()
	if t.secrets == nil {
		t.secrets = map[string]string{}
	}
	t.secrets[key] = value
}

// ForgetSetting has Graph leave one of the job's settings out, as before anybody has set it.
func (t *Tenant) ForgetSetting(key string) {
	t.state.Lock()
	defer t.state.Unlock()
	delete(t.secrets, key)
}

func (t *Tenant) scoping() scoping {
	t.state.Lock()
	defer t.state.Unlock()
	is := func(key string) bool { return strings.EqualFold(t.secrets[key], "true") || t.secrets[key] == "1" }
	s := scoping{all: is("SyncAll"), skip: is("SkipOutOfScopeDeletions")}
	if !t.schema.Users.Off {
		s.users = slices.Clone(t.schema.Users.Scope)
	}
	if !t.schema.Groups.Off {
		s.groups = slices.Clone(t.schema.Groups.Scope)
	}
	return s
}

// same reports whether who is in scope is decided alike. A change has the service look at everything again ("Saving a new
// scoping filter triggers a new full sync").
func (s scoping) same(other scoping) bool { return fmt.Sprint(s) == fmt.Sprint(other) }

// user says whether a person is in scope, enabled or not.
func (s scoping) user(d *directory, id string) bool {
	u := d.users[id]
	return u != nil && (s.all || len(d.reasons(id)) > 0) && lets(s.users, renderUser(u))
}

// group says whether a group is sent.
func (s scoping) group(d *directory, id string) bool {
	g := d.groups[id]
	return g != nil && (s.all || d.assigned[id] != nil) && lets(s.groups, renderGroup(g))
}

// people lists everyone in scope, enabled or not, in the order of their ids.
func (s scoping) people(d *directory) []string {
	from := d.userIDs.ids
	if !s.all {
		from = d.scope()
	}
	return slices.DeleteFunc(slices.Clone(from), func(id string) bool { return !s.user(d, id) })
}

// teams lists the groups that are sent, in the order of their ids.
func (s scoping) teams(d *directory) []string {
	return slices.DeleteFunc(slices.Clone(d.groupIDs.ids), func(id string) bool { return !s.group(d, id) })
}

// lets says whether scoping filters let an object in: all clauses of any of them have to hold.
func lets(filters []ScopeGroup, item object) bool {
	return len(filters) == 0 || slices.ContainsFunc(filters, func(g ScopeGroup) bool {
		return !slices.ContainsFunc(g.Clauses, func(c ScopeClause) bool { return !c.holds(item) })
	})
}

// holds follows the page "Scoping users or groups to be provisioned with scoping filters". What it doesn't know lets nobody
// in.
func (c ScopeClause) holds(item object) bool {
	name := c.Attribute
	if strings.EqualFold(name, "objectId") {
		name = "id"
	}
	value := ""
	for key, v := range item {
		if strings.EqualFold(key, name) && v != nil {
			value = fmt.Sprint(v)
		}
	}
	operator := strings.ToUpper(strings.ReplaceAll(c.Operator, "_", " "))
	switch operator {
	case "IS NULL":
		return value == ""
	case "IS NOT NULL":
		return value != ""
	case "IS TRUE", "IS FALSE":
		return strings.EqualFold("IS "+value, operator)
	}
	if value == "" || len(c.Values) != 1 {
		return false
	}
	with := c.Values[0]
	switch operator {
	case "EQUALS":
		return value == with
	case "NOT EQUALS":
		return value != with
	case "INCLUDES":
		return strings.Contains(value, with)
	case "ENDS WITH":
		return strings.HasSuffix(value, with)
	case "REGEX MATCH", "NOT REGEX MATCH":
		found, err := regexp.MatchString(with, value)
		return err == nil && found == (operator == "REGEX MATCH")
	case "GREATER THAN", "GREATER THAN OR EQUALS":
		a, errA := strconv.Atoi(value)
		b, errB := strconv.Atoi(with)
		return errA == nil && errB == nil && (a > b || a == b && operator != "GREATER THAN")
	}
	return false
}

// getSecrets answers the request that the page "Skip deletion of user accounts that go out of scope" makes. What is secret
// is masked.
func (t *Tenant) getSecrets(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID {
		return notFound(r.params[0])
	}
	t.state.Lock()
	defer t.state.Unlock()
	values := []object{{"key": "BaseAddress", "value": "https://scim.example/"}, {"key": "SecretToken", "value": "*"},
		{"key": "SyncNotificationSettings", "value": `{"Enabled":false,"DeleteThresholdEnabled":false}`}}
	for _, key := range sortedKeys(t.secrets) {
		values = append(values, object{"key": key, "value": t.secrets[key]})
	}
	return reply{status: http.StatusOK, body: object{
		"@odata.context": r.base + "/$metadata#Collection(microsoft.graph.synchronizationSecretKeyStringValuePair)", "value": values,
	}}
}

// putSecrets answers the page "Add synchronization secrets". Of what is put the two settings are kept.
func (t *Tenant) putSecrets(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID {
		return notFound(r.params[0])
	}
	var in struct {
		Value []struct{ Key, Value string }
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		return fail(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload.")
	}
	for _, v := range in.Value {
		if v.Key == "SyncAll" || v.Key == "SkipOutOfScopeDeletions" {
			t.setSecret(v.Key, v.Value)
		}
	}
	return reply{status: http.StatusNoContent}
}
