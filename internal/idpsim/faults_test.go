package idpsim_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

func TestAFaultStrikesTheRequestsItIsFor(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 10, Groups: 1})
	group := g.DesiredTeams()[0].ObjectID
	remove := g.Inject(idpsim.Fault{
		Path: "/groups/*/members", Status: http.StatusTooManyRequests, RetryAfter: "2", Skip: 1, Count: 2, Every: 2,
	})
	var got []int
	for range 6 {
		got = append(got, g.get("/groups/"+group+"/members/graph.user").Status)
		g.get("/groups/" + group)
	}
	if want := []int{200, 429, 200, 429, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
	remove()
	g.Inject(idpsim.Fault{Status: http.StatusServiceUnavailable, RetryAfter: "1.5"})
	a := g.get("/users")
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "1.5" || a.code() != "serviceNotAvailable" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Raw)
	}
	g.ClearFaults()
	if a := g.get("/users"); a.Status != http.StatusOK {
		t.Errorf("after ClearFaults: %d", a.Status)
	}
}

func TestAnswersCanBeCutOffDroppedOrEmptied(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 30})
	g.Inject(idpsim.Fault{Path: "/users", Truncate: true, Count: 1})
	if a, err := g.try(http.MethodGet, "/users", nil); err == nil {
		t.Errorf("truncated: no error, %d", a.Status)
	}
	g.Inject(idpsim.Fault{Method: http.MethodPost, Path: "/users", Drop: true})
	g.Inject(idpsim.Fault{Path: "/groups", Drop: true})
	if a, err := g.try(http.MethodGet, "/groups", nil); err == nil {
		t.Errorf("dropped: no error, %d", a.Status)
	}
	g.Inject(idpsim.Fault{Path: "/users", Empty: true, Count: 1})
	if a := g.get("/users?$top=5"); a.Status != http.StatusOK || len(a.values()) != 0 || a.Body["value"] == nil || a.Body["@odata.nextLink"] != nil {
		t.Errorf("emptied: %s", a.Raw)
	}
	g.Inject(idpsim.Fault{Path: "/users", Query: "$skiptoken", DropNextLink: true, Count: 1})
	if ids, pages := g.all("/users?$top=5", "id"); len(ids) != 10 || pages != 2 {
		t.Errorf("shortened: %d ids in %d pages", len(ids), pages)
	}
	g.Inject(idpsim.Fault{Path: "/users", NextLink: "https://evil.example/v1.0/users?$skiptoken=x", Count: 1})
	if link := g.get("/users?$top=5").Body["@odata.nextLink"]; link != "https://evil.example/v1.0/users?$skiptoken=x" {
		t.Errorf("next link %v", link)
	}
}

func TestALaggingReadAnswersFromAnOlderDirectory(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 20, Groups: 2})
	before := g.get("/users?$select=id,displayName,accountEnabled").Raw
	group := g.DesiredTeams()[0]
	members := g.Members(group.ObjectID)
	for _, err := range []error{ // four changes
		g.DeleteUser(group.Members[0]),
		g.UpdateUser(group.Members[1], func(u *idpsim.User) { u.DisplayName = "Someone Else" }),
		g.DisableUser(group.Members[2]),
		g.DeleteGroup(group.ObjectID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	now := g.get("/users?$select=id,displayName,accountEnabled").Raw
	g.Inject(idpsim.Fault{Lag: 4})
	if got := g.get("/users?$select=id,displayName,accountEnabled").Raw; got != before {
		t.Error("a lag of four doesn't answer what was")
	}
	if ids, _ := g.all("/groups/"+group.ObjectID+"/members", "id"); !slices.Equal(ids, members) {
		t.Errorf("members then %v, want %v", ids, members)
	}
	g.ClearFaults()
	if got := g.get("/users?$select=id,displayName,accountEnabled").Raw; got != now || now == before {
		t.Error("the lagging read changed the directory")
	}
	g.Inject(idpsim.Fault{Eventual: true, Lag: 4})
	if a := g.get("/users?$select=id,displayName,accountEnabled"); a.Raw != now {
		t.Error("a fault for the index struck a plain read")
	}
}

func TestHooksRunBeforeTheReadAndBetweenReadAndAnswer(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 5})
	add := func(upn string) func() {
		return func() {
			if _, err := g.AddUser(idpsim.User{UserPrincipalName: upn}); err != nil {
				t.Error(err)
			}
		}
	}
	total := len(g.Users())
	g.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeRead: add("early@x.example"), BeforeAnswer: add("late@x.example")})
	if got := len(g.get("/users").values()); got != total+1 {
		t.Errorf("%d people answered, want the early one and not the late one: %d", got, total+1)
	}
	if got := len(g.get("/users").values()); got != total+2 {
		t.Errorf("%d people afterwards", got)
	}
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 5, Groups: 1})
	group := g.DesiredTeams()[0].ObjectID
	g.get("/users")
	g.get("/users?$top=2")
	g.get("/groups/" + group + "/members/graph.user")
	g.get("/nothing")
	got := g.Requests()
	if got["GET /users"] != 2 || got["GET /groups/{id}/members"] != 1 || got["unknown"] != 1 || len(got) != 3 {
		t.Errorf("%v", got)
	}
	if g.ResetRequests(); len(g.Requests()) != 0 {
		t.Error("not reset")
	}
}

func TestASoftDeletedPersonIsInDeletedItemsUntilRestored(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1, Members: 20, Groups: 2, Outsiders: -1, Disabled: -1})
	team := g.DesiredTeams()[0]
	person, _ := g.User(team.Members[0])
	if err := g.DeleteUser(person.ObjectID); err != nil {
		t.Fatal(err)
	}
	if a := g.get("/users/" + person.ObjectID); a.Status != http.StatusNotFound {
		t.Errorf("read of the deleted: %d", a.Status)
	}
	gone := g.get("/directory/deletedItems/graph.user?$select=id,userPrincipalName,deletedDateTime").values()
	if len(gone) != 1 || gone[0]["id"] != person.ObjectID || gone[0]["deletedDateTime"] == nil || gone[0]["userPrincipalName"] == person.UserPrincipalName {
		t.Errorf("deleted items %v", gone)
	}
	if slices.Contains(g.DesiredTeams()[0].Members, person.ObjectID) || len(g.Desired()) != 19 {
		t.Error("still desired")
	}
	if err := g.RestoreUser(person.ObjectID); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.DesiredTeams()[0].Members, team.Members) || len(g.Desired()) != 20 {
		t.Error("restore lost something")
	}
	if err := g.DeleteUser(person.ObjectID); err != nil {
		t.Fatal(err)
	}
	if err := g.PurgeUser(person.ObjectID); err != nil {
		t.Fatal(err)
	}
	if err := g.RestoreUser(person.ObjectID); err == nil {
		t.Error("a purged person was restored")
	}
}

func TestScopeFollowsAssignmentsAndDirectMembershipOnly(t *testing.T) {
	tenant := idpsim.New(idpsim.Config{Seed: 1})
	u, err := tenant.AddUser(idpsim.User{UserPrincipalName: "ada@x.example", GivenName: "Ada", Surname: "Lovelace"})
	if err != nil {
		t.Fatal(err)
	}
	outer, _ := tenant.AddGroup(idpsim.Group{DisplayName: "Outer"})
	inner, _ := tenant.AddGroup(idpsim.Group{DisplayName: "Inner"})
	check := func(what string, err error, people int) {
		t.Helper()
		if err != nil || len(tenant.Desired()) != people {
			t.Errorf("%s: %v, %d people, want %d", what, err, len(tenant.Desired()), people)
		}
	}
	check("join the inner group", tenant.AddToGroup(inner.ObjectID, u.ObjectID), 0)
	check("nest", tenant.AddToGroup(outer.ObjectID, inner.ObjectID), 0)
	check("assign the outer group", tenant.Assign(outer.ObjectID), 0)
	check("assign the inner group", tenant.Assign(inner.ObjectID), 1)
	check("assign the person", tenant.Assign(u.ObjectID), 1)
	check("unassign the inner group", tenant.Unassign(inner.ObjectID), 1)
	check("disable", tenant.DisableUser(u.ObjectID), 0)
	check("enable", tenant.EnableUser(u.ObjectID), 1)
	check("unassign", tenant.Unassign(u.ObjectID), 0)
}

func TestTheJobShowsItsQuarantine(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1})
	status := func() map[string]any {
		job := g.get("/servicePrincipals/" + g.ServicePrincipalID() + "/synchronization/jobs").values()[0]
		if job["id"] != g.JobID() {
			t.Errorf("job %v", job["id"])
		}
		s, _ := job["status"].(map[string]any)
		return s
	}
	if s := status(); s["code"] != "NotRun" || s["quarantine"] != nil || s["steadyStateLastAchievedTime"] != "0001-01-01T00:00:00Z" {
		t.Errorf("new job %v", s)
	}
	g.SetQuarantine(idpsim.BaseEscrowThreshold, "too many failures")
	s := status()
	q, _ := s["quarantine"].(map[string]any)
	if s["code"] != "Quarantine" || q["reason"] != "EncounteredBaseEscrowThreshold" || q["seriesBegan"] == nil || q["nextAttempt"] == nil {
		t.Errorf("quarantined %v", s)
	}
	g.LiftQuarantine()
	if s := status(); s["code"] == "Quarantine" || s["quarantine"] != nil {
		t.Errorf("lifted %v", s)
	}
}

func TestTheProvisioningLogIsReadNewestFirstAndByTime(t *testing.T) {
	g := newGraph(t, idpsim.Config{Seed: 1})
	for _, name := range []string{"a", "b", "c"} {
		g.AddProvisioningLog(idpsim.ProvisioningEntry{
			Time: day(len(g.ProvisioningLog()) + 1), Action: "other", Status: "skipped", Type: "User", Name: name, ObjectID: name,
			SkipReason: "RedundantSoftDelete",
		})
	}
	entries := g.get("/auditLogs/provisioning?$top=2").values()
	source, _ := entries[0]["sourceIdentity"].(map[string]any)
	steps, _ := entries[0]["provisioningSteps"].([]any)
	last, _ := steps[len(steps)-1].(map[string]any)
	details, _ := last["details"].(map[string]any)
	if source["id"] != "c" || last["name"] != "EntrySynchronizationSkip" || details["SkipReason"] != "RedundantSoftDelete" {
		t.Errorf("newest entry %v", entries[0])
	}
	ids, pages := g.all("/auditLogs/provisioning?$top=1", "activityDateTime")
	if pages != 3 || !slices.Equal(ids, []string{"2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"}) {
		t.Errorf("paged %v", ids)
	}
	if got := g.get("/auditLogs/provisioning?$filter=activityDateTime gt 2026-01-01T12:00:00Z and sourceIdentity/id eq 'b'").values(); len(got) != 1 {
		t.Errorf("%d entries", len(got))
	}
}

func day(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
