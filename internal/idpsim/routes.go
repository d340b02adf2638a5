package idpsim

import (
	"net/http"
	"strings"
)

// handler answers a request from a directory.
type handler func(d *directory, r *request) reply

// route is one line of the table.
type route struct {
	method  string
	pattern string
	needs   Permission
	handle  handler
	segs    []string
	// free: it works without the directory, which others may change meanwhile, as it talks to the target.
	free bool
}

// table lists what the tenant serves below /v1.0. "{}" is one segment; casts come in both of the spellings that
// clients use.
func (t *Tenant) table() []route {
	get := func(pattern string, needs Permission, h handler) route {
		return route{method: http.MethodGet, pattern: pattern, needs: needs, handle: h}
	}
	routes := []route{
		get("/users", UserReadAll, t.listUsers),
		get("/users/delta()", UserReadAll, t.userDelta), // as the SDKs spell it
		get("/users/delta", UserReadAll, t.userDelta),
		get("/users/{id}", UserReadAll, t.getUser),
		get("/users/{id}/appRoleAssignments", ApplicationReadAll, t.userAssignments),
		get("/users/{id}/memberOf", GroupMemberReadAll, t.userMemberOf),
		get("/users/{id}/memberOf/graph.group", GroupMemberReadAll, t.userMemberOf),
		get("/users/{id}/memberOf/microsoft.graph.group", GroupMemberReadAll, t.userMemberOf),
		get("/users/{id}/transitiveMemberOf", GroupMemberReadAll, t.userTransitiveMemberOf),
		get("/users/{id}/transitiveMemberOf/graph.group", GroupMemberReadAll, t.userTransitiveMemberOf),
		get("/users/{id}/transitiveMemberOf/microsoft.graph.group", GroupMemberReadAll, t.userTransitiveMemberOf),
		{method: http.MethodPost, pattern: "/users/{id}/checkMemberGroups", needs: GroupMemberReadAll, handle: t.checkMemberGroups},
		get("/groups", GroupMemberReadAll, t.listGroups),
		get("/groups/delta()", GroupMemberReadAll, t.groupDelta),
		get("/groups/delta", GroupMemberReadAll, t.groupDelta),
		get("/groups/{id}", GroupMemberReadAll, t.getGroup),
		get("/groups/{id}/members", GroupMemberReadAll, t.listMembers),
		get("/groups/{id}/members/graph.user", GroupMemberReadAll, t.listUserMembers),
		get("/groups/{id}/members/microsoft.graph.user", GroupMemberReadAll, t.listUserMembers),
		get("/groups/{id}/transitiveMembers", GroupMemberReadAll, t.transitiveMembers),
		get("/groups/{id}/transitiveMembers/graph.user", GroupMemberReadAll, t.transitiveUsers),
		get("/groups/{id}/transitiveMembers/microsoft.graph.user", GroupMemberReadAll, t.transitiveUsers),
		get("/groups/{id}/appRoleAssignments", ApplicationReadAll, t.groupAssignments),
		get("/servicePrincipals", ApplicationReadAll, t.listServicePrincipals),
		get("/servicePrincipals/{id}", ApplicationReadAll, t.getServicePrincipal),
		get("/servicePrincipals/{id}/appRoleAssignedTo", ApplicationReadAll, t.assignedTo),
		get("/servicePrincipals/{id}/synchronization/secrets", SynchronizationReadAll, t.getSecrets),
		{method: http.MethodPut, pattern: "/servicePrincipals/{id}/synchronization/secrets",
			needs: SynchronizationReadWriteAll, handle: t.putSecrets, free: true},
		get("/servicePrincipals/{id}/synchronization/jobs", SynchronizationReadAll, t.listJobs),
		get("/servicePrincipals/{id}/synchronization/jobs/{job}", SynchronizationReadAll, t.getJob),
		get("/servicePrincipals/{id}/synchronization/jobs/{job}/schema", SynchronizationReadAll, t.getSchema),
		{method: http.MethodPost, pattern: "/servicePrincipals/{id}/synchronization/jobs/{job}/restart",
			needs: SynchronizationReadWriteAll, handle: t.restartJob},
		{method: http.MethodPost, pattern: "/servicePrincipals/{id}/synchronization/jobs/{job}/validateCredentials",
			needs: SynchronizationReadWriteAll, handle: t.validateCredentials, free: true},
		{method: http.MethodPost, pattern: "/servicePrincipals/{id}/synchronization/jobs/{job}/provisionOnDemand",
			needs: SynchronizationReadWriteAll, handle: t.provisionOnDemand, free: true},
		get("/auditLogs/provisioning", AuditLogReadAll, t.listProvisioning),
		get("/directory/deletedItems/graph.user", UserReadAll, t.listDeleted),
		get("/directory/deletedItems/microsoft.graph.user", UserReadAll, t.listDeleted),
		get("/directory/deletedItems/{id}", UserReadAll, t.getDeleted),
	}
	for i := range routes {
		routes[i].segs = segments(routes[i].pattern)
	}
	return routes
}

// lookup finds the route of r and sets its parameters. A literal segment wins over a parameter by standing first.
func (t *Tenant) lookup(r *request) *route {
	got := segments(r.path)
	for i := range t.routes {
		rt := &t.routes[i]
		if rt.method != r.method || len(rt.segs) != len(got) {
			continue
		}
		var params []string
		match := true
		for j, seg := range rt.segs {
			switch {
			case strings.HasPrefix(seg, "{"):
				params = append(params, got[j])
			case !strings.EqualFold(seg, got[j]):
				match = false
			}
		}
		if match {
			r.params = params
			return rt
		}
	}
	return nil
}

// answer runs one Graph request: authentication, faults, permission, read. It returns the faults that shape how the
// reply is sent.
func (t *Tenant) answer(r *request) (reply, []Fault) {
	rt := t.lookup(r)
	if rt == nil {
		t.counts.add("unknown")
	} else {
		t.counts.add(rt.method + " " + uncast(rt.pattern))
	}
	if rep := t.authenticate(r.header.Get("Authorization")); rep != nil {
		return *rep, nil
	}
	if rt == nil {
		segs := segments(r.path)
		return fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+segs[len(segs)-1]+"'."), nil
	}
	struck := t.faults.strikes(r)
	lag := t.replica.read(t.Version())
	for _, f := range struck {
		lag = max(lag, f.Lag)
		r.shift += f.Shift
		f.pause(r.gone)
	}
	if rep := t.struckDown(r, struck); rep != nil {
		return *rep, struck
	}
	if t.denied(rt.needs) {
		return fail(http.StatusForbidden, "Authorization_RequestDenied",
			"Insufficient privileges to complete the operation."), struck
	}
	var rep reply
	if rt.free {
		rep = rt.handle(nil, r)
	} else {
		t.view(lag, func(d *directory) { rep = rt.handle(d, r) })
	}
	for _, f := range struck {
		f.spoil(r, rep)
		if f.BeforeAnswer != nil {
			f.BeforeAnswer()
		}
	}
	return rep, struck
}

func (t *Tenant) authenticate(header string) *reply {
	scheme, token, _ := strings.Cut(header, " ")
	var message string
	switch {
	case header == "" || !strings.EqualFold(scheme, "Bearer") || token == "":
		message = "Access token is empty."
	case token != t.cfg.AccessToken:
		message = "IDX14100: JWT is not well formed, or its signature is not valid for this tenant."
	default:
		return nil
	}
	rep := fail(http.StatusUnauthorized, "InvalidAuthenticationToken", message)
	rep.header = map[string]string{
		"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ` +
			`client_id="00000003-0000-0000-c000-000000000000"`,
	}
	return &rep
}
