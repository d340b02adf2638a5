package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// routes is the table of what the API serves.
func (a *API) routes() {
	route(a, get("/version", "version", "The daemon's version"), a.version)
	a.watchRoutes()
	route(a, get("/orgs", "list-organisations", "List organisations (over the socket only)"), a.listOrgs)
	route(a, post("/orgs", "create-organisation", "Make an organisation (over the socket only)", http.StatusCreated), a.createOrg)
	inOrg(a, get("/orgs/{org}/scim", "scim-status", "Whether pushes are taken, and where"), a.scim)
	inOrg(a, put("/orgs/{org}/scim", "set-scim", "Take pushes or refuse them"), a.setSCIM)

	inOrg(a, get("/orgs/{org}/tokens", "list-tokens", "List SCIM tokens"), a.listTokens)
	inOrg(a, post("/orgs/{org}/tokens", "create-token", "Make a SCIM token; only this answer holds it", http.StatusCreated), a.createToken)
	inOrg(a, post("/orgs/{org}/tokens/{token}/enable", "enable-token", "Switch a token on again", http.StatusOK), a.switchToken(false))
	inOrg(a, post("/orgs/{org}/tokens/{token}/disable", "disable-token", "Switch a token off", http.StatusOK), a.switchToken(true))
	inOrg(a, post("/orgs/{org}/tokens/{token}/limit", "limit-token", "Change what a token is limited to", http.StatusOK), a.limitToken)
	inOrg(a, post("/orgs/{org}/tokens/check", "check-token", "Say what is wrong with a token", http.StatusOK), a.checkToken)
	erase(a, "/orgs/{org}/tokens/{token}", "delete-token", "Delete a token", a.deleteToken)
	inOrg(a, get("/orgs/{org}/apikeys", "list-api-keys", "List the keys of this API"), a.listKeys)
	inOrg(a, post("/orgs/{org}/apikeys", "create-api-key", "Make a key; only this answer holds it", http.StatusCreated), a.createKey)
	erase(a, "/orgs/{org}/apikeys/{key}", "delete-api-key", "Delete a key", a.deleteKey)

	inOrg(a, get("/orgs/{org}/members", "list-members", "List members; deleted ones only by status"), a.listMembers)
	inOrg(a, post("/orgs/{org}/members", "invite-member", "Make a local member, pending", http.StatusCreated), a.inviteMember)
	inOrg(a, post("/orgs/{org}/members/adopt", "adopt-members", "Hand local members to a connection", http.StatusOK), a.adoptMembers)
	inOrg(a, post("/orgs/{org}/members/link", "link-member", "Add a connection's link to a member", http.StatusOK), a.linkMember)
	inOrg(a, post("/orgs/{org}/members/unlink", "unlink-member", "Undo a connection's link to a member; no rule makes it again", http.StatusOK), a.unlinkMember)
	inOrg(a, get("/orgs/{org}/members/{key}", "show-member", "A member, with what ties it to IdPs"), a.showMember)
	inOrg(a, post("/orgs/{org}/members/{key}/deactivate", "deactivate-member", "Deactivate a member; no run undoes it", http.StatusOK), a.switchMember(false))
	inOrg(a, post("/orgs/{org}/members/{key}/reactivate", "reactivate-member", "Take a deactivation back", http.StatusOK), a.switchMember(true))
	a.policyRoutes()
	inOrg(a, get("/orgs/{org}/teams", "list-teams", "List teams; deleted ones only by status"), a.listTeams)
	inOrg(a, post("/orgs/{org}/teams/unlink", "unlink-team", "Undo a connection's link to a team; no rule makes it again", http.StatusOK), a.unlinkTeam)
	inOrg(a, get("/orgs/{org}/teams/{team}", "show-team", "A team, with what ties it to IdPs"), a.showTeam)
	inOrg(a, get("/orgs/{org}/teams/{team}/awaited", "list-awaited", "List whom pushes named as members of a team and who are not here yet"), a.listAwaited)
	inOrg(a, get("/orgs/{org}/events", "list-events", "List change events; those not yet numbered come last"), a.listEvents)
	inOrg(a, get("/orgs/{org}/requests", "list-requests", "List the SCIM request log, the oldest first"), a.listRequests)

	inOrg(a, get("/orgs/{org}/connections", "list-connections", "List connections"), a.listConnections)
	inOrg(a, get("/orgs/{org}/connections/{name}", "show-connection", "A connection"), a.showConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/diagnose", "diagnose-connection", "Check a connection against its IdP", http.StatusOK), a.diagnoseConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/job-mapping", "job-mapping", "Read how the IdP's own job maps people", http.StatusOK), a.jobMapping)
	inOrg(a, get("/orgs/{org}/connections/{name}/drift", "connection-drift", "What a connection's runs found, over time"), a.drift)
	inOrg(a, post("/orgs/{org}/connections/{name}/preview", "preview-connection", "Say what a connection makes of one person, writing nothing", http.StatusOK), a.previewConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/provision", "provision", "Have the IdP's own job send one person now", http.StatusOK), a.provision)
	inOrg(a, post("/orgs/{org}/connections/rename", "rename-connection", "Give the file's entry everything of another", http.StatusOK), a.renameConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/test", "test-connection", "Ask the IdP whether the settings work", http.StatusOK), a.testConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/rebind", "rebind-connection", "Accept a connection's new target", http.StatusOK), a.rebindConnection)
	inOrg(a, post("/orgs/{org}/connections/{name}/release", "release-connection", "Make a detached connection's objects unclaimed", http.StatusOK), a.releaseConnection)

	inOrg(a, post("/orgs/{org}/diff", "diff", "Ask for a dry run", http.StatusAccepted), a.diff)
	inOrg(a, post("/orgs/{org}/resync", "resync", "Ask for a run of one connection, or of each", http.StatusAccepted), a.resync)
	route(a, get("/runs", "list-runs", "List runs, the newest first"), a.listRuns)
	route(a, get("/runs/{id}", "show-run", "A run, with its plan if asked"), a.showRun)
	a.eventRoute()
	route(a, get("/runs/{id}/actions", "list-run-actions", "A run's plan, page by page"), a.listActions)
	route(a, post("/runs/{id}/approve", "approve-run", "Approve a held plan, or a part of it", http.StatusAccepted), a.approveRun)
	route(a, post("/runs/{id}/cancel", "cancel-run", "Stop a run, or drop its held plan", http.StatusAccepted), a.cancelRun)
}

func operation(method, path, id, summary string, status int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, DefaultStatus: status, MaxBodyBytes: 2 * maxBody,
		BodyReadTimeout: -1, // the body was read before
	}
}

func get(path, id, summary string) huma.Operation {
	return operation(http.MethodGet, path, id, summary, http.StatusOK)
}

func put(path, id, summary string) huma.Operation {
	return operation(http.MethodPut, path, id, summary, http.StatusOK)
}

func post(path, id, summary string, status int) huma.Operation {
	return operation(http.MethodPost, path, id, summary, status)
}

type reply[T any] struct{ Body T }

// register adds one operation. Whatever error its handler returns is mapped here.
func register[I, R any](a *API, op huma.Operation, handle func(context.Context, *I) (*R, error)) {
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "a problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{problemType: {Schema: problemSchema(a.huma.OpenAPI().Components.Schemas)}},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*R, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// route adds an operation whose handler looks itself at what its caller may see.
func route[I, O any](a *API, op huma.Operation, handle func(context.Context, caller, *I) (O, error)) {
	register(a, op, func(ctx context.Context, in *I) (*reply[O], error) {
		out, err := handle(ctx, callerOf(ctx), in)
		return &reply[O]{out}, err
	})
}

// scope is who asks and the organisation they ask about, which they may see.
type scope struct {
	caller
	org roster.Organisation
}

// InOrg is a part of the input of every route below /orgs/{org}.
type InOrg struct {
	Org string `path:"org" doc:"the organisation's id or name"`
}

func (in *InOrg) orgKey() string { return in.Org }

type orgInput[I any] interface {
	*I
	orgKey() string
}

// inOrg adds an operation on one organisation. Its handler is called only for an organisation that the caller may see.
func inOrg[I any, P orgInput[I], O any](a *API, op huma.Operation, handle func(context.Context, scope, *I) (O, error)) {
	route(a, op, func(ctx context.Context, c caller, in *I) (O, error) {
		org, err := a.org(ctx, c, P(in).orgKey())
		if err != nil {
			var none O
			return none, err
		}
		return handle(ctx, scope{c, org}, in)
	})
}

// erase adds a deletion in one organisation, which has no answer but its status.
func erase[I any, P orgInput[I]](a *API, path, id, summary string, handle func(context.Context, scope, *I) error) {
	op := operation(http.MethodDelete, path, id, summary, http.StatusNoContent)
	register(a, op, func(ctx context.Context, in *I) (*struct{}, error) {
		c := callerOf(ctx)
		org, err := a.org(ctx, c, P(in).orgKey())
		if err != nil {
			return nil, err
		}
		return nil, handle(ctx, scope{c, org}, in)
	})
}

// org finds the organisation that a caller names. One that isn't theirs reads as one that isn't there.
func (a *API) org(ctx context.Context, c caller, key string) (roster.Organisation, error) {
	org, err := a.store.Organisation(ctx, key)
	if err != nil {
		return roster.Organisation{}, err
	}
	if !c.sees(org.ID) {
		return roster.Organisation{}, roster.Errorf(roster.NotFound, "no organisation %q", key)
	}
	return org, nil
}

// status answers GET /status.
func (a *API) status(ctx context.Context, c caller, _ *struct{}) (client.Status, error) {
	orgs, err := a.orgsOf(ctx, c)
	if err != nil {
		return client.Status{}, err
	}
	out := client.Status{Version: a.build, Database: a.store.Kind(), Connections: []client.ConnectionStatus{}, Alerts: []client.OpenAlert{}}
	for i := range orgs {
		found, err := a.connectionStatus(ctx, &orgs[i])
		if err != nil {
			return client.Status{}, err
		}
		out.Connections = append(out.Connections, found...)
		open, err := a.openAlerts(ctx, &orgs[i])
		if err != nil {
			return client.Status{}, err
		}
		out.Alerts = append(out.Alerts, open...)
	}
	return out, nil
}
