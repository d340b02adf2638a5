package idpsim

import (
	"slices"
)

// userRole is the app role that every application made in the portal has ("User").
const userRole = "18d14569-c3bd-439b-9a66-3a2aee01d14f"

func assignmentEntity() entity {
	all := []string{
		"id", "deletedDateTime", "appRoleId", "createdDateTime", "principalDisplayName", "principalId", "principalType",
		"resourceDisplayName", "resourceId",
	}
	return entity{typ: "appRoleAssignment", all: all, standard: all}
}

// renderAssignment follows the page "appRoleAssignment resource type". An assignment whose principal is soft-deleted
// isn't shown.
func (t *Tenant) renderAssignment(d *directory, principal string) object {
	a := d.assigned[principal]
	if a == nil {
		return nil
	}
	kind, title := "User", ""
	switch {
	case d.groups[principal] != nil:
		kind, title = "Group", d.groups[principal].DisplayName
	case d.users[principal] != nil:
		title = d.users[principal].DisplayName
	default:
		return nil
	}
	return object{
		"id": a.ID, "appRoleId": userRole, "createdDateTime": stamp(a.Created), "principalDisplayName": title,
		"principalId": principal, "principalType": kind, "resourceDisplayName": t.cfg.AppName,
		"resourceId": t.cfg.ServicePrincipalID,
	}
}

func (t *Tenant) assignments(d *directory, r *request, principals []string) reply {
	return r.page(list{
		entity: assignmentEntity(), context: "appRoleAssignments", ids: principals, size: t.cfg.PageSize,
		get: func(id string) object { return t.renderAssignment(d, id) },
		has: func(id string) bool { return d.assigned[id] != nil && (d.users[id] != nil || d.groups[id] != nil) },
	})
}

// assignedTo answers the page "List appRoleAssignments granted for a service principal": users and groups, a group not
// expanded into its members.
func (t *Tenant) assignedTo(d *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID {
		return notFound(r.params[0])
	}
	return t.assignments(d, r, d.assigIDs.ids)
}

// userAssignments answers the page "List appRoleAssignments granted to a user", which also lists those of "groups that
// the user is a direct member of".
func (t *Tenant) userAssignments(d *directory, r *request) reply {
	u := d.resolve(r.params[0])
	if u == nil {
		return notFound(r.params[0])
	}
	ids := d.reasons(u.ObjectID)
	slices.Sort(ids)
	return t.assignments(d, r, ids)
}

// groupAssignments answers the page "List appRoleAssignments granted to a group".
func (t *Tenant) groupAssignments(d *directory, r *request) reply {
	if d.groups[r.params[0]] == nil {
		return notFound(r.params[0])
	}
	return t.assignments(d, r, r.params[:1])
}

func servicePrincipalEntity() entity {
	all := []string{
		"id", "accountEnabled", "appId", "appDisplayName", "appOwnerOrganizationId", "appRoleAssignmentRequired",
		"appRoles", "createdDateTime", "deletedDateTime", "displayName", "servicePrincipalNames", "servicePrincipalType",
		"tags",
	}
	return entity{typ: "servicePrincipal", all: all, standard: all}
}

// renderServicePrincipal follows the page "servicePrincipal resource type".
func (t *Tenant) renderServicePrincipal() object {
	return object{
		"id": t.cfg.ServicePrincipalID, "accountEnabled": true, "appId": t.appID, "appDisplayName": t.cfg.AppName,
		"appOwnerOrganizationId": t.cfg.TenantID, "appRoleAssignmentRequired": true, "displayName": t.cfg.AppName,
		"servicePrincipalNames": []string{t.appID}, "servicePrincipalType": "Application",
		"tags": []string{"WindowsAzureActiveDirectoryCustomSingleSignOnApplication", "WindowsAzureActiveDirectoryIntegratedApp"},
		"appRoles": []object{{
			"allowedMemberTypes": []string{"User"}, "description": "User", "displayName": "User", "id": userRole,
			"isEnabled": true, "origin": "Application", "value": nil,
		}},
	}
}

func (t *Tenant) listServicePrincipals(_ *directory, r *request) reply {
	return r.page(list{
		entity: servicePrincipalEntity(), context: "servicePrincipals", ids: []string{t.cfg.ServicePrincipalID},
		size: t.cfg.PageSize, get: func(string) object { return t.renderServicePrincipal() },
	})
}

func (t *Tenant) getServicePrincipal(_ *directory, r *request) reply {
	if r.params[0] != t.cfg.ServicePrincipalID {
		return notFound(r.params[0])
	}
	return r.one(servicePrincipalEntity(), "servicePrincipals", t.renderServicePrincipal())
}
