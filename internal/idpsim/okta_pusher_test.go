package idpsim_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// oktaBench is an Okta tenant, a SCIM recorder and the engine between them.
type oktaBench struct {
	*okta
	scim *recorder
	push *idpsim.OktaPusher
}

func newOktaBench(t *testing.T, cfg idpsim.OktaConfig, push idpsim.OktaPushConfig) *oktaBench {
	t.Helper()
	b := &oktaBench{okta: newOkta(t, cfg), scim: newRecorder(t)}
	push.BaseURL, push.Token, push.Backoff = b.scim.url+push.BaseURL, "secret", time.Millisecond
	var err error
	b.push, err = idpsim.NewOktaPusher(b.OktaTenant, push)
	b.must(err)
	return b
}

func (b *oktaBench) cycle() idpsim.Summary {
	b.t.Helper()
	s, err := b.push.Cycle(b.t.Context())
	b.must(err)
	return s
}

// expect runs a cycle and compares the requests of it.
func (b *oktaBench) expect(want ...string) []sent {
	b.t.Helper()
	b.scim.take()
	s := b.cycle()
	got := b.scim.take()
	if !slices.Equal(lines(got), want) {
		b.t.Fatalf("requests %q, want %q", lines(got), want)
	}
	if s.Requests != len(got) {
		b.t.Errorf("the summary counts %d requests of %d", s.Requests, len(got))
	}
	return got
}

// differs says how the SCIM server differs from what the tenant wants; empty where it doesn't.
func (b *oktaBench) differs() string {
	b.t.Helper()
	var people []string
	names := map[string]string{}
	for _, p := range b.Desired() {
		people = append(people, p.UserName)
		names[p.ObjectID] = p.UserName
	}
	slices.Sort(people)
	teams := map[string][]string{}
	for _, team := range b.DesiredTeams() {
		members := []string{}
		for _, m := range team.Members {
			members = append(members, names[m])
		}
		slices.Sort(members)
		teams[team.DisplayName] = members
	}
	switch have := b.scim.teams(); {
	case !slices.Equal(people, b.scim.people()):
		return fmt.Sprintf("people %q, want %q", b.scim.people(), people)
	case !maps.EqualFunc(teams, have, slices.Equal[[]string]):
		return fmt.Sprintf("teams %q, want %q", have, teams)
	}
	return ""
}

// oneOkta is a bench with one person, assigned directly and in one pushed group that isn't assigned, both provisioned.
func oneOkta(t *testing.T, push idpsim.OktaPushConfig) (b *oktaBench, user, group string) {
	t.Helper()
	b = newOktaBench(t, idpsim.OktaConfig{}, push)
	u, g := b.person("ada@initech.example"), b.team("Engines")
	b.must(b.AssignUser(u.ID), b.AddToGroup(g.ID, u.ID), b.PushGroup(g.ID))
	if s := b.cycle(); s.Created != 2 || s.MembersAdded != 1 || s.Failed != 0 || !s.Initial {
		t.Fatalf("first cycle %+v", s)
	}
	return b, u.ID, g.ID
}

func (s sent) operation(n int) map[string]any {
	ops, _ := s.body["Operations"].([]any)
	if n >= len(ops) {
		return nil
	}
	op, _ := ops[n].(map[string]any)
	return op
}

func TestOktasFirstCycleProvisionsApplicationUsersAndPushedGroups(t *testing.T) {
	b := newOktaBench(t, idpsim.OktaConfig{Seed: 4, Members: 120, Groups: 8}, idpsim.OktaPushConfig{})
	s := b.cycle()
	if d := b.differs(); d != "" || s.Created != 128 || s.Failed != 0 {
		t.Errorf("created %d, failed %d: %s", s.Created, s.Failed, d)
	}
	if s := b.cycle(); s.Requests != 0 || s.Created+s.Updated+s.Disabled+s.Deleted != 0 {
		t.Errorf("a second cycle without changes %+v", s)
	}
	if s, err := b.push.ForceSync(t.Context()); err != nil || s.Updated != 128 || b.differs() != "" {
		t.Errorf("forced: %+v, %v, %s", s, err, b.differs())
	}
}

func TestUsersAndGroupsAreCreatedInOktasShape(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{BaseURL: "/"})
	requests := b.scim.take()
	want := []string{
		`GET /Users?filter=userName eq "ada@initech.example"&startIndex=1&count=100`, "POST /Users",
		`GET /Groups?filter=displayName eq "Engines"&startIndex=1&count=100`, "POST /Groups",
	}
	if got := lines(requests); !slices.Equal(got, want) {
		t.Fatalf("requests %q, want %q", got, want)
	}
	post := requests[1]
	for name, want := range map[string]string{
		"User-Agent": "Okta SCIM Client 1.0.0", "Authorization": "Bearer secret", "Accept": "application/scim+json",
	} {
		if got := post.header.Get(name); got != want {
			t.Errorf("%s %q", name, got)
		}
	}
	password := text(post.body, "password")
	delete(post.body, "password")
	delete(post.body, "id") // the recorder's
	wantBody := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "ada@initech.example",
		"name":        map[string]any{"givenName": "Ada", "familyName": "Lovelace"},
		"emails":      []any{map[string]any{"primary": true, "value": "ada@initech.example", "type": "work"}},
		"displayName": "Ada Lovelace", "externalId": user, "groups": []any{}, "active": true,
	}
	if fmt.Sprint(post.body) != fmt.Sprint(wantBody) || len(password) < 8 {
		t.Errorf("user %v, password %q, want %v", post.body, password, wantBody)
	}
	group := requests[3].body
	members := []any{map[string]any{"value": b.push.TargetID(user), "display": "ada@initech.example"}}
	if _, external := group["externalId"]; external || text(group, "displayName") != "Engines" ||
		fmt.Sprint(group["members"]) != fmt.Sprint(members) {
		t.Errorf("group %v", group)
	}
	if b.ExternalID(user) != b.push.TargetID(user) {
		t.Errorf("the application user's externalId is %q", b.ExternalID(user))
	}
}

func TestAnExistingUserIsLinkedAndUpdated(t *testing.T) {
	b := newOktaBench(t, idpsim.OktaConfig{}, idpsim.OktaPushConfig{})
	b.scim.users["old"] = map[string]any{"id": "old", "userName": "ada@initech.example", "active": false, "nickName": "A"}
	b.must(b.AssignUser(b.person("ada@initech.example").ID))
	got := b.expect(`GET /Users?filter=userName eq "ada@initech.example"&startIndex=1&count=100`, "GET /Users/old", "PUT /Users/old")
	if body := got[2].body; body["active"] != true || body["nickName"] != "A" || body["password"] != nil {
		t.Errorf("PUT %v", body)
	}
}

func TestAChangedProfileIsPutWhole(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.UpdateAppProfile(user, func(p *idpsim.AppProfile) { p.DisplayName = "Countess" }))
	got := b.expect("GET /Users/u-1", "PUT /Users/u-1")
	if body := got[1].body; body["displayName"] != "Countess" || text(body, "name", "familyName") != "Lovelace" || body["id"] != "u-1" {
		t.Errorf("PUT %v", body)
	}
	b.must(b.UpdateProfile(user, func(p *idpsim.OktaProfile) { p.Department = "Mathematics" })) // not sent
	b.expect()
}

func TestADirectAssignmentRemovedDeactivatesThoughInAPushedGroup(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.UnassignUser(user))
	off := b.expect("PATCH /Users/u-1")
	op := off[0].operation(0)
	if _, path := op["path"]; path || op["op"] != "replace" || fmt.Sprint(op["value"]) != "map[active:false]" {
		t.Errorf("deactivation %v", op)
	}
	if b.differs() != "" || b.ExternalID(user) != "" {
		t.Errorf("%s; externalId %q", b.differs(), b.ExternalID(user))
	}
	b.must(b.AssignUser(user))
	if on := b.expect("PATCH /Users/u-1"); fmt.Sprint(on[0].operation(0)["value"]) != "map[active:true]" || b.differs() != "" {
		t.Errorf("reactivation %v; %s", on[0].body, b.differs())
	}
}

func TestOfASuspensionOktaTellsNobody(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.Suspend(user))
	b.expect()
	if len(b.Desired()) != 0 {
		t.Error("a suspended person is desired")
	}
	b.must(b.Unsuspend(user))
	b.expect()

	b, user, _ = oneOkta(t, idpsim.OktaPushConfig{PushSuspend: true})
	b.must(b.Suspend(user))
	b.expect("PATCH /Users/u-1")
}

func TestADeactivatedPersonIsNeverDeleted(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.DeleteUser(user))
	for _, r := range b.expect("PATCH /Users/u-1", "PATCH /Groups/g-2") {
		if r.method == http.MethodDelete {
			t.Error(r)
		}
	}
}

func TestAPushedGroupFollowsItsApplicationUsers(t *testing.T) {
	b, _, group := oneOkta(t, idpsim.OktaPushConfig{})
	grace, access := b.person("grace@initech.example"), b.team("Access")
	b.must(b.AddToGroup(group, grace.ID))
	b.expect() // she is no application user
	b.must(b.AssignGroup(access.ID), b.AddToGroup(access.ID, grace.ID))
	got := b.expect(`GET /Users?filter=userName eq "grace@initech.example"&startIndex=1&count=100`, "POST /Users", "PATCH /Groups/g-2")
	if op := got[2].operation(0); op["op"] != "add" || op["path"] != "members" ||
		fmt.Sprint(op["value"]) != "[map[display:grace@initech.example value:u-3]]" {
		t.Errorf("addition %v", op)
	}
	b.must(b.RemoveFromGroup(group, grace.ID))
	got = b.expect("PATCH /Groups/g-2")
	if op := got[0].operation(0); op["op"] != "remove" || op["path"] != `members[value eq "u-3"]` {
		t.Errorf("removal %v", op)
	}
	b.must(b.RenameGroup(group, "Machines"))
	got = b.expect("PATCH /Groups/g-2")
	op := got[0].operation(0)
	if _, path := op["path"]; path || fmt.Sprint(op["value"]) != "map[displayName:Machines id:g-2]" {
		t.Errorf("rename %v", op)
	}
	b.push.PushNow(group)
	got = b.expect("PATCH /Groups/g-2", "PATCH /Groups/g-2")
	if op := got[1].operation(0); op["op"] != "replace" || op["path"] != "members" {
		t.Errorf("full set %v", op)
	}
	if d := b.differs(); d != "" {
		t.Error(d)
	}
}

func TestAnAccountThatIsOffIsNotSentAsAMember(t *testing.T) {
	b, user, group := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.UpdateAppUser(user, func(a *idpsim.AppUser) { a.Status = idpsim.AppDeprovisioned }))
	b.expect("PATCH /Users/u-1")
	b.push.PushNow(group)
	got := b.expect("PATCH /Groups/g-2", "PATCH /Groups/g-2")
	if members := got[1].operation(0)["value"]; fmt.Sprint(members) != "[]" {
		t.Errorf("the full set is %v", members)
	}
}

func TestAMappingDecidesWhatIsPushed(t *testing.T) {
	b, user, group := oneOkta(t, idpsim.OktaPushConfig{})
	b.must(b.SetPushStatus(group, idpsim.PushInactive, ""), b.RemoveFromGroup(group, user))
	b.expect()
	b.must(b.PushGroup(group))
	b.expect("PATCH /Groups/g-2")
	b.must(b.UnlinkGroup(group))
	b.expect()
	b.must(b.PushGroup(group))
	b.expect(`GET /Groups?filter=displayName eq "Engines"&startIndex=1&count=100`, "PATCH /Groups/g-2")
	b.must(b.UnpushGroup(group))
	b.expect("DELETE /Groups/g-2")
	b.must(b.AssignGroup(group), b.AddToGroup(group, user)) // assigned, but not pushed
	b.expect()
}

func TestMissedPushesAreBelievedSent(t *testing.T) {
	b, user, group := oneOkta(t, idpsim.OktaPushConfig{})
	grace := b.person("grace@initech.example")
	b.must(b.AssignUser(grace.ID), b.AddToGroup(group, grace.ID))
	b.push.Miss(grace.ID, group)
	b.expect()
	b.must(b.UnassignUser(user))
	b.push.MissWhere(func(id string) bool { return id == user })
	if s := b.cycle(); s.Missed != 1 || s.Of(idpsim.Missed)[0].ObjectID != user {
		t.Errorf("%+v", s)
	}
	b.push.MissWhere(nil)
	b.expect()
	if b.differs() == "" {
		t.Error("nothing was missed")
	}
}

func TestWhatFailsIsATaskUntilRetried(t *testing.T) {
	b, user, group := oneOkta(t, idpsim.OktaPushConfig{})
	b.scim.refuse = func(s sent) int {
		if s.method == http.MethodPut || strings.HasPrefix(s.path, "/Groups") {
			return http.StatusConflict
		}
		return 0
	}
	b.must(b.UpdateAppProfile(user, func(p *idpsim.AppProfile) { p.DisplayName = "Countess" }), b.RenameGroup(group, "Machines"))
	if s := b.cycle(); s.Failed != 2 || s.Of(idpsim.Failed)[0].Status != http.StatusConflict || len(b.push.Tasks()) != 2 {
		t.Errorf("%+v, tasks %+v", s, b.push.Tasks())
	}
	mapping, shown := b.PushMappings()[0], b.get(b.app("/users/"+user)).object()
	if mapping.Status != idpsim.PushError || mapping.ErrorSummary == "" || text(shown, "syncState") != "ERROR" {
		t.Errorf("mapping %+v, user %v", mapping, shown)
	}
	b.scim.refuse = nil
	b.expect() // by itself nothing is tried again
	b.push.RetryTasks()
	b.expect("GET /Users/u-1", "PUT /Users/u-1", "PATCH /Groups/g-2")
	if m := b.PushMappings()[0]; m.Status != idpsim.PushActive || len(b.push.Tasks()) != 0 || b.differs() != "" {
		t.Errorf("mapping %+v, tasks %+v, %s", m, b.push.Tasks(), b.differs())
	}
}

func TestAVanishedUserTakesARelink(t *testing.T) {
	b, user, _ := oneOkta(t, idpsim.OktaPushConfig{})
	delete(b.scim.users, "u-1")
	b.must(b.UpdateAppProfile(user, func(p *idpsim.AppProfile) { p.DisplayName = "Countess" }))
	if s := b.cycle(); s.Failed != 1 || s.Of(idpsim.Failed)[0].Status != http.StatusNotFound {
		t.Errorf("%+v", s)
	}
	b.push.Relink(user)
	b.expect(`GET /Users?filter=userName eq "ada@initech.example"&startIndex=1&count=100`, "POST /Users", "PATCH /Groups/g-2")
}

func TestARefusedTokenEndsTheCycleAndLosesNothing(t *testing.T) {
	b := newOktaBench(t, idpsim.OktaConfig{Seed: 1, Members: 12, Groups: 2}, idpsim.OktaPushConfig{})
	b.scim.refuse = func(sent) int { return http.StatusUnauthorized }
	if _, err := b.push.Cycle(t.Context()); err == nil {
		t.Error("no error")
	}
	if err := b.push.TestConnection(t.Context()); err == nil {
		t.Error("the connection test succeeds")
	}
	b.scim.refuse = nil
	b.cycle()
	if d := b.differs(); d != "" {
		t.Error(d)
	}
	if _, err := idpsim.NewOktaPusher(b.OktaTenant, idpsim.OktaPushConfig{BaseURL: "scim"}); err == nil {
		t.Error("a base URL without a host is taken")
	}
}

func TestPushesReachTheTenantAfterAnyChanges(t *testing.T) {
	b := newOktaBench(t, idpsim.OktaConfig{Seed: 6, Members: 40, Groups: 6, Off: -1}, idpsim.OktaPushConfig{})
	b.cycle()
	users, groups := b.Users(), b.Groups()
	refused := 0
	for i := range 400 {
		u, g := users[i*7%len(users)].ID, groups[i*5%len(groups)].ID
		var err error
		switch i % 11 {
		case 0:
			err = b.AssignUser(u)
		case 1:
			err = b.UnassignUser(u)
		case 2:
			err = b.AddToGroup(g, u)
		case 3:
			err = b.RemoveFromGroup(g, u)
		case 4:
			err = b.AssignGroup(g)
		case 5:
			err = b.UnassignGroup(g)
		case 6:
			err = b.PushGroup(g)
		case 7:
			err = b.RenameGroup(g, fmt.Sprintf("Group %d", i))
		case 8:
			err = b.Deactivate(u)
		case 9:
			err = b.Activate(u)
		case 10:
			err = b.UpdateProfile(u, func(p *idpsim.OktaProfile) { p.LastName = fmt.Sprintf("Name%d", i) })
		}
		if err != nil {
			refused++
		}
		if i%13 == 0 {
			b.cycle()
			if d := b.differs(); d != "" {
				t.Fatalf("after change %d: %s", i, d)
			}
		}
	}
	if refused > 100 {
		t.Errorf("%d of 400 changes were refused", refused)
	}
}
