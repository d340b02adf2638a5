package idpsim

import (
	"fmt"
	"net/http"
	"strings"
)

// Schema is how the provisioning job maps and scopes what it pushes, as Graph shows it. A Pusher sets it to its own
// mapping and follows its scoping filters; any other change made by hand is shown and not followed.
type Schema struct {
	Users, Groups ObjectMapping
}

// ObjectMapping maps one kind of object (page "objectMapping resource type").
type ObjectMapping struct {
	Off        bool   // enabled is false
	Flows      string // "Add, Update, Delete" when empty
	Attributes []AttributeMapping
	Scope      []ScopeGroup // any of them lets somebody in; everybody assigned when empty
}

// AttributeMapping says where one target attribute's value comes from (page "attributeMapping resource type").
type AttributeMapping struct {
	Target string
	// Source is an attribute's name; Expression, where set, a function such as Switch([IsSoftDeleted], , ...), or a
	// constant in quotes.
	Source, Expression string
	Default            string
	Matching           int // matchingPriority
	OnCreate           bool
}

// ScopeGroup is a group of clauses that must all hold (page "filterGroup resource type").
type ScopeGroup struct {
	Name    string
	Clauses []ScopeClause
}

// ScopeClause compares an attribute of the source (page "filterClause resource type").
type ScopeClause struct {
	Attribute, Operator string
	Values              []string
}

// isSoftDeleted is what the portal proposes for active (tutorial "Customize user provisioning attribute-mappings").
const isSoftDeleted = `Switch([IsSoftDeleted], , "False", "True", "True", "False")`

// SchemaOf returns what Graph shows for a mapping of the push engine.
func SchemaOf(m Mapping) Schema {
	users := []AttributeMapping{
		{Target: "userName", Source: "userPrincipalName", Matching: 1},
		{Target: "active", Expression: isSoftDeleted},
		{Target: workEmail, Source: "mail"},
		{Target: "displayName", Source: "displayName"},
		{Target: "name.givenName", Source: "givenName"},
		{Target: "name.familyName", Source: "surname"},
	}
	if m.UserExternalID != "" {
		users = append(users, AttributeMapping{Target: "externalId", Source: m.UserExternalID})
	}
	if m.Details {
		users = append(users, AttributeMapping{Target: "title", Source: "jobTitle"},
			AttributeMapping{Target: "name.formatted", Expression: `Join(" ", [givenName], [surname])`},
			AttributeMapping{Target: departmentPath, Source: "department"})
	}
	groups := []AttributeMapping{
		{Target: "displayName", Source: "displayName", Matching: 1}, {Target: "externalId", Source: "objectId"}, {Target: "members", Source: "members"},
	}
	if m.MatchGroupsByExternalID {
		groups[0].Matching, groups[1].Matching = 0, 1
	}
	return Schema{Users: ObjectMapping{Attributes: users}, Groups: ObjectMapping{Attributes: groups}}
}

// EditSchema changes what Graph shows of the job's mapping.
func (t *Tenant) EditSchema(edit func(s *Schema)) {
	t.state.Lock()
	defer t.state.Unlock()
	edit(&t.schema)
}

// getSchema answers the page "Get synchronizationSchema".
func (t *Tenant) getSchema(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID || !strings.EqualFold(r.params[1], t.jobID) {
		return fail(http.StatusNotFound, "Request_ResourceNotFound", "The synchronization job was not found.")
	}
	t.state.Lock()
	defer t.state.Unlock()
	const source, target = "Azure Active Directory", "customappsso"
	all := []string{"id", "version", "provisioningTaskIdentifier", "synchronizationRules", "directories"}
	return r.one(entity{typ: "synchronizationSchema", all: all, standard: all},
		"servicePrincipals('"+r.params[0]+"')/synchronization/jobs('"+r.params[1]+"')/schema", object{
			"id": t.jobID, "version": "Date:2026-01-01T00:00:00.0000000Z", "provisioningTaskIdentifier": t.jobID,
			"synchronizationRules": []object{{
				"editable": true, "id": t.RuleID(), "name": "USER_TO_USER", "priority": 1, "metadata": []object{},
				"sourceDirectoryName": source, "targetDirectoryName": target, "objectMappings": []object{
					t.schema.Groups.render("Provision Microsoft Entra ID Groups", "Group", groupSchema),
					t.schema.Users.render("Provision Microsoft Entra ID Users", "User", userTarget),
				},
			}},
			"directories": []object{{"id": "66e4a8cc-1b7b-435e-95f8-f06cea133828", "name": source, "objects": []object{}},
				{"id": t.appID, "name": target, "objects": []object{}}},
		})
}

// userTarget is the name that the generic SCIM application gives its users.
const userTarget = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// RuleID returns the id of the job's one synchronization rule.
func (t *Tenant) RuleID() string { return "4c5ecfa1-a072-4460-b1c3-4adde3479854" }

func (m ObjectMapping) render(name, source, target string) object {
	attributes := make([]object, 0, len(m.Attributes))
	for _, a := range m.Attributes {
		attributes = append(attributes, a.render())
	}
	flows := m.Flows
	if flows == "" {
		flows = "Add, Update, Delete"
	}
	return object{
		"enabled": !m.Off, "flowTypes": flows, "name": name, "sourceObjectName": source, "targetObjectName": target,
		"attributeMappings": attributes, "scope": renderScope(m.Scope), "metadata": []object{},
	}
}

func (a AttributeMapping) render() object {
	flow, fallback := "Always", any(nil)
	if a.OnCreate {
		flow = "ObjectAddOnly"
	}
	if a.Default != "" {
		fallback = a.Default
	}
	return object{
		"defaultValue": fallback, "exportMissingReferences": false, "flowBehavior": "FlowWhenChanged", "flowType": flow,
		"matchingPriority": a.Matching, "source": a.source(), "targetAttributeName": a.Target,
	}
}

// source follows the page "attributeMappingSource resource type".
func (a AttributeMapping) source() object {
	kind, name, expression := "Attribute", a.Source, fmt.Sprintf("[%s]", a.Source)
	if a.Expression != "" {
		kind, expression = "Function", a.Expression
		name, _, _ = strings.Cut(expression, "(")
		if strings.HasPrefix(expression, `"`) {
			kind, name = "Constant", strings.Trim(expression, `"`)
		}
	}
	return object{"expression": expression, "name": name, "type": kind, "parameters": []object{}}
}

// renderScope follows the page "filter resource type".
func renderScope(groups []ScopeGroup) any {
	if len(groups) == 0 {
		return nil
	}
	out := make([]object, 0, len(groups))
	for _, g := range groups {
		clauses := make([]object, 0, len(g.Clauses))
		for _, c := range g.Clauses {
			values := c.Values
			if values == nil {
				values = []string{}
			}
			clauses = append(clauses, object{
				"operatorName": c.Operator, "sourceOperandName": c.Attribute, "targetOperand": object{"values": values},
			})
		}
		out = append(out, object{"name": g.Name, "clauses": clauses})
	}
	return object{"groups": out, "inputFilterGroups": []object{}, "categoryFilterGroups": []object{}}
}
