package idpsim_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// bench is a tenant, a SCIM recorder and the engine between them.
type bench struct {
	*idpsim.Tenant
	t    *testing.T
	scim *recorder
	push *idpsim.Pusher
}

func newBench(t *testing.T, cfg idpsim.Config, push idpsim.PushConfig) *bench {
	t.Helper()
	b := &bench{Tenant: idpsim.New(cfg), t: t, scim: newRecorder(t)}
	push.BaseURL, push.Token, push.Backoff = b.scim.url+push.BaseURL, "secret", time.Millisecond
	var err error
	if b.push, err = idpsim.NewPusher(b.Tenant, push); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) must(errs ...error) {
	b.t.Helper()
	if err := errors.Join(errs...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) cycle() idpsim.Summary {
	b.t.Helper()
	s, err := b.push.Cycle(b.t.Context())
	b.must(err)
	return s
}

// same checks that the SCIM server has what the tenant wants.
func (b *bench) same() bool {
	b.t.Helper()
	var people []string
	names := map[string]string{}
	for _, p := range b.Desired() {
		people = append(people, p.UserPrincipalName)
		names[p.ObjectID] = p.UserPrincipalName
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
	return slices.Equal(people, b.scim.people()) && maps.EqualFunc(teams, b.scim.teams(), slices.Equal[[]string])
}

// one is a bench with one person, assigned directly and in one assigned group, both provisioned.
func one(t *testing.T, push idpsim.PushConfig) (b *bench, user, group string) {
	t.Helper()
	b = newBench(t, idpsim.Config{Seed: 1}, push)
	u, err := b.AddUser(idpsim.User{UserPrincipalName: "ada@x.example", GivenName: "Ada", Surname: "Lovelace", JobTitle: "Countess"})
	b.must(err)
	g, err := b.AddGroup(idpsim.Group{DisplayName: "Engines"})
	b.must(err, b.AddToGroup(g.ObjectID, u.ObjectID), b.Assign(u.ObjectID, g.ObjectID))
	if s := b.cycle(); s.Created != 2 || s.MembersAdded != 1 || s.Failed != 0 {
		t.Fatalf("first cycle %+v", s)
	}
	return b, u.ObjectID, g.ObjectID
}

func lines(requests []sent) []string {
	out := make([]string, 0, len(requests))
	for _, r := range requests {
		out = append(out, r.String())
	}
	return out
}

func TestTheInitialCycleProvisionsEveryoneInScope(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 4, Members: 120, Groups: 8}, idpsim.PushConfig{Workers: 8, MemberBatch: 10})
	s, err := b.push.InitialCycle(t.Context())
	b.must(err)
	if !b.same() || s.Created != 128 || s.Failed != 0 || s.Requests != len(b.scim.take()) {
		t.Errorf("created %d, failed %d, requests %d", s.Created, s.Failed, s.Requests)
	}
	if s := b.cycle(); s.Requests != 0 || s.Created+s.Updated+s.Disabled+s.Deleted != 0 {
		t.Errorf("a second cycle without changes %+v", s)
	}
}

func TestUsersAreMatchedThenCreatedInEntrasShape(t *testing.T) {
	b, _, _ := one(t, idpsim.PushConfig{})
	requests := b.scim.take()
	want := []string{
		`GET /Users?filter=userName eq "ada@x.example"`, "POST /Users",
		`GET /Groups?excludedAttributes=members&filter=displayName eq "Engines"`, "POST /Groups", "PATCH /Groups/g-2",
	}
	if got := lines(requests); !slices.Equal(got, want) {
		t.Fatalf("requests %q, want %q", got, want)
	}
	post := requests[1]
	if ct := post.header.Get("Content-Type"); ct != "application/scim+json; charset=utf-8" {
		t.Errorf("content type %q", ct)
	}
	if post.header.Get("Authorization") != "Bearer secret" || post.header.Get("User-Agent") != idpsim.UserAgent {
		t.Errorf("header %v", post.header)
	}
	delete(post.body, "id") // the recorder's own
	if want := map[string]any{
		"schemas":  []any{"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"},
		"userName": "ada@x.example", "active": true, "displayName": "Ada Lovelace", "roles": []any{},
		"emails": []any{map[string]any{"primary": true, "type": "work", "value": "ada@x.example"}},
		"meta":   map[string]any{"resourceType": "User"}, "name": map[string]any{"givenName": "Ada", "familyName": "Lovelace"},
	}; !reflect.DeepEqual(post.body, want) {
		t.Errorf("POST /Users %v", post.body)
	}
	ops := requests[4].body["Operations"]
	if want := []any{map[string]any{"op": "Add", "path": "members", "value": []any{map[string]any{"$ref": nil, "value": "u-1"}}}}; !reflect.DeepEqual(ops, want) {
		t.Errorf("members %v", ops)
	}
}

func TestTheStockMappingSendsMailNicknameAndDetails(t *testing.T) {
	b, user, _ := one(t, idpsim.PushConfig{Mapping: idpsim.StockMapping()})
	post := b.scim.take()[1].body
	name, _ := post["name"].(map[string]any)
	if post["externalId"] != "ada" || post["title"] != "Countess" || name["formatted"] != "Ada Lovelace" {
		t.Errorf("POST /Users %v", post)
	}
	b.must(b.UpdateUser(user, func(u *idpsim.User) { u.Department = "Research" }))
	b.cycle()
	if ops := fmt.Sprint(b.scim.take()[1].body["Operations"]); !strings.Contains(ops, "enterprise:2.0:User:department") {
		t.Errorf("department %s", ops)
	}
}

func TestChangesArePatchedInTheOldShapesAndTheCompliantOnes(t *testing.T) {
	for name, tc := range map[string]struct {
		base    string
		rename  map[string]any
		disable map[string]any
		leave   map[string]any
	}{
		"old": {
			"", map[string]any{"op": "Replace", "path": "name.familyName", "value": "King"},
			map[string]any{"op": "Replace", "path": "active", "value": "False"},
			map[string]any{"op": "Remove", "path": "members", "value": []any{map[string]any{"$ref": nil, "value": "u-1"}}},
		},
		"compliant": {
			"/?aadOptscim062020", map[string]any{"op": "replace", "path": "name.familyName", "value": "King"},
			map[string]any{"op": "replace", "path": "active", "value": false},
			map[string]any{"op": "remove", "path": `members[value eq "u-1"]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, user, group := one(t, idpsim.PushConfig{BaseURL: tc.base})
			b.scim.take()
			only := func(want map[string]any) {
				t.Helper()
				b.cycle()
				requests := b.scim.take()
				ops := requests[len(requests)-1].body["Operations"]
				if !reflect.DeepEqual(ops, []any{want}) {
					t.Errorf("%q: %v, want %v", lines(requests), ops, want)
				}
			}
			b.must(b.UpdateUser(user, func(u *idpsim.User) { u.Surname = "King" }))
			only(tc.rename)
			b.must(b.RemoveFromGroup(group, user))
			only(tc.leave)
			b.must(b.Unassign(user))
			only(tc.disable)
		})
	}
}

func TestABaseURLWithASlashGivesADoubleSlash(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 1}, idpsim.PushConfig{BaseURL: "/"})
	b.must(b.push.TestConnection(t.Context()))
	requests := b.scim.take()
	if len(requests) != 2 || requests[0].path != "//Users" || requests[1].path != "//Groups" {
		t.Errorf("%q", lines(requests))
	}
}

func TestEveryWayOutOfScopeDisablesOnceAndEveryWayBackEnables(t *testing.T) {
	for name, tc := range map[string]struct {
		out, back func(b *bench, user, group string) error
	}{
		"account disabled": {
			func(b *bench, u, _ string) error { return b.DisableUser(u) },
			func(b *bench, u, _ string) error { return b.EnableUser(u) },
		},
		"soft-deleted": {
			func(b *bench, u, _ string) error { return b.DeleteUser(u) },
			func(b *bench, u, _ string) error { return b.RestoreUser(u) },
		},
		"unassigned": {
			func(b *bench, u, g string) error { return errors.Join(b.RemoveFromGroup(g, u), b.Unassign(u)) },
			func(b *bench, u, g string) error { return errors.Join(b.AddToGroup(g, u), b.Assign(u)) },
		},
		"their group unassigned": {
			func(b *bench, u, g string) error { return errors.Join(b.Unassign(u), b.Unassign(g)) },
			func(b *bench, u, g string) error { return b.Assign(u, g) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, user, group := one(t, idpsim.PushConfig{})
			b.must(tc.out(b, user, group))
			if s := b.cycle(); s.Disabled != 1 || !b.same() {
				t.Errorf("out: %+v, active %v", s, b.scim.people())
			}
			if s := b.cycle(); s.Requests != 0 {
				t.Errorf("again: %+v", s)
			}
			b.must(tc.back(b, user, group))
			if s := b.cycle(); s.Updated < 1 || !b.same() {
				t.Errorf("back: %+v, active %v", s, b.scim.people())
			}
		})
	}
}

func TestAHardDeleteIsSentOnlyForThoseStillManaged(t *testing.T) {
	for name, unassign := range map[string]bool{"assigned": false, "unassigned before": true} {
		t.Run(name, func(t *testing.T) {
			b, user, group := one(t, idpsim.PushConfig{})
			if unassign {
				b.must(b.RemoveFromGroup(group, user), b.Unassign(user))
				b.cycle()
			}
			b.must(b.DeleteUser(user))
			b.cycle()
			b.must(b.PurgeUser(user))
			b.scim.take()
			if s := b.cycle(); (s.Deleted == 1) == unassign || slices.Contains(lines(b.scim.take()), "DELETE /Users/u-1") == unassign {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestADisabledPersonIsNotCreated(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 1}, idpsim.PushConfig{})
	u, err := b.AddUser(idpsim.User{UserPrincipalName: "off@x.example", Disabled: true})
	b.must(err, b.Assign(u.ObjectID))
	if s := b.cycle(); s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	b.must(b.EnableUser(u.ObjectID))
	if s := b.cycle(); s.Created != 1 {
		t.Errorf("enabled: %+v", s)
	}
}

func TestGroupsAreRenamedAndDeletedWhenTheyLeave(t *testing.T) {
	b, _, group := one(t, idpsim.PushConfig{})
	b.scim.take()
	b.must(b.RenameGroup(group, "Looms"))
	b.cycle()
	requests := b.scim.take()
	if got := lines(requests); !slices.Equal(got, []string{"GET /Groups/g-2?excludedAttributes=members", "PATCH /Groups/g-2"}) || !b.same() {
		t.Errorf("rename %q", got)
	}
	b.must(b.Unassign(group))
	if s := b.cycle(); s.Deleted != 1 || !slices.Equal(lines(b.scim.take()), []string{"DELETE /Groups/g-2"}) || !b.same() {
		t.Errorf("unassigned %+v", s)
	}
}

func TestAMissedPushIsNeverSentAgainByItself(t *testing.T) {
	b, user, group := one(t, idpsim.PushConfig{})
	second, err := b.AddUser(idpsim.User{UserPrincipalName: "bob@x.example"})
	b.must(err, b.Assign(second.ObjectID), b.RenameGroup(group, "Looms"), b.DisableUser(user))
	b.push.Miss(second.ObjectID, group, user)
	b.scim.take()
	if s := b.cycle(); s.Missed != 3 || s.Requests != 0 {
		t.Fatalf("%+v", s)
	}
	if s := b.cycle(); s.Requests != 0 || b.same() {
		t.Errorf("the next cycle made up for it: %+v", s)
	}
	b.must(b.UpdateUser(second.ObjectID, func(u *idpsim.User) { u.Surname = "Builder" }))
	if s := b.cycle(); s.Created != 1 {
		t.Errorf("a later change: %+v", s)
	}
	if s, err := b.push.Restart(t.Context()); err != nil || !b.same() {
		t.Errorf("after a restart: %+v %v", s, err)
	}
}

func TestAMembershipChangeCanBeMissed(t *testing.T) {
	b, user, group := one(t, idpsim.PushConfig{})
	b.push.MissWhere(func(id string) bool { return id == group })
	b.must(b.RemoveFromGroup(group, user))
	if s := b.cycle(); s.Missed != 1 || b.same() {
		t.Errorf("%+v", s)
	}
	b.push.MissWhere(nil)
	b.must(b.AddToGroup(group, user))
	if s := b.cycle(); s.MembersAdded != 1 || !b.same() {
		t.Errorf("%+v", s)
	}
}

func TestAReassignedPersonIsSkippedAsRedundantSoftDelete(t *testing.T) {
	b, user, group := one(t, idpsim.PushConfig{})
	b.push.RedundantSoftDelete(user)
	b.must(b.RemoveFromGroup(group, user), b.Unassign(user))
	if s := b.cycle(); s.Disabled != 1 {
		t.Fatalf("%+v", s)
	}
	b.must(b.Assign(user))
	b.scim.take()
	s := b.cycle()
	skips := s.Of(idpsim.Skipped)
	if len(skips) != 1 || skips[0].Reason != "RedundantSoftDelete" || s.Requests != 0 || b.same() {
		t.Fatalf("%+v", s)
	}
	log := b.ProvisioningLog()
	if e := log[len(log)-1]; e.Status != "skipped" || e.SkipReason != "RedundantSoftDelete" || e.ObjectID != user || e.TargetID != "u-1" {
		t.Errorf("log entry %+v", e)
	}
	if _, err := b.push.Restart(t.Context()); err != nil || !b.same() {
		t.Errorf("a restart doesn't end it: %v", err)
	}
}

func TestInQuarantineNothingIsSentAndNothingIsForgotten(t *testing.T) {
	b, user, _ := one(t, idpsim.PushConfig{})
	b.push.Quarantine(idpsim.BaseEscrowThreshold)
	b.must(b.DisableUser(user))
	b.scim.take()
	if s := b.cycle(); s.Quarantine != idpsim.BaseEscrowThreshold || len(b.scim.take()) != 0 || b.Quarantined() != idpsim.BaseEscrowThreshold {
		t.Errorf("%+v", s)
	}
	b.push.LiftQuarantine()
	if s := b.cycle(); s.Disabled != 1 || b.Quarantined() != "" {
		t.Errorf("lifted: %+v", s)
	}
}

func TestARefusedTokenQuarantinesTheJobUntilItWorks(t *testing.T) {
	b, user, _ := one(t, idpsim.PushConfig{})
	b.scim.refuse = func(sent) int { return http.StatusUnauthorized }
	b.must(b.DisableUser(user))
	if s, err := b.push.Cycle(t.Context()); err == nil || s.Quarantine != idpsim.QuarantineException || b.Quarantined() == "" {
		t.Errorf("%+v %v", s, err)
	}
	if s := b.cycle(); s.Quarantine == "" {
		t.Errorf("still refused: %+v", s)
	}
	b.scim.mu.Lock()
	b.scim.refuse = nil
	b.scim.mu.Unlock()
	if s := b.cycle(); s.Disabled != 1 || b.Quarantined() != "" {
		t.Errorf("works again: %+v", s)
	}
}

func TestFailuresAreRetriedThenEscrowedWithGrowingGaps(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 1, Members: 1, Outsiders: -1, Disabled: -1}, idpsim.PushConfig{Retries: 1})
	user := b.Users()[0].ObjectID
	b.scim.refuse = func(s sent) int {
		if s.method == http.MethodPost {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	var requests []int
	for range 8 {
		s := b.cycle()
		requests = append(requests, s.Requests)
		if s.Requests > 0 && (s.Failed != 1 || s.Of(idpsim.Failed)[0].Status != http.StatusServiceUnavailable) {
			t.Errorf("%+v", s)
		}
	}
	// a look-up and two tries each in cycles 1, 2, 4 and 8
	if want := []int{3, 3, 0, 3, 0, 0, 0, 3}; !slices.Equal(requests, want) {
		t.Errorf("requests %v, want %v", requests, want)
	}
	if got := b.push.Escrows(); !slices.Equal(got, []string{user}) {
		t.Errorf("escrows %v", got)
	}
	b.scim.refuse = nil
	if _, err := b.push.InitialCycle(t.Context()); err != nil || len(b.push.Escrows()) != 0 || !b.same() {
		t.Errorf("not made good: %v %v", b.push.Escrows(), err)
	}
}

func TestAConflictOnCreateIsMatchedAgain(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 1, Members: 1, Outsiders: -1, Disabled: -1}, idpsim.PushConfig{})
	name := b.Users()[0].UserPrincipalName
	b.scim.refuse = func(s sent) int {
		if s.method != http.MethodPost {
			return 0
		}
		b.scim.users["u-0"] = map[string]any{"id": "u-0", "userName": name, "active": true}
		return http.StatusConflict
	}
	if s := b.cycle(); s.Updated != 1 || s.Failed != 0 || b.push.TargetID(b.Users()[0].ObjectID) != "u-0" {
		t.Errorf("%+v", s)
	}
}

func TestAUserDeletedAtTheTargetIsCreatedAnew(t *testing.T) {
	b, user, _ := one(t, idpsim.PushConfig{})
	delete(b.scim.users, "u-1")
	delete(b.scim.members["g-2"], "u-1")
	b.must(b.UpdateUser(user, func(u *idpsim.User) { u.Surname = "King" }))
	if s := b.cycle(); s.Created != 1 || len(b.scim.people()) != 1 {
		t.Errorf("%+v", s)
	}
	if s := b.cycle(); s.MembersAdded != 1 || !b.same() {
		t.Errorf("reference repair: %+v", s)
	}
}

func TestAMemberNotYetProvisionedIsSentWhenTheyAre(t *testing.T) {
	b, _, group := one(t, idpsim.PushConfig{})
	u, err := b.AddUser(idpsim.User{UserPrincipalName: "later@x.example", Disabled: true})
	b.must(err, b.AddToGroup(group, u.ObjectID))
	if s := b.cycle(); s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	b.must(b.EnableUser(u.ObjectID))
	if s := b.cycle(); s.Created != 1 || s.MembersAdded != 1 || !b.same() {
		t.Errorf("%+v", s)
	}
}

func TestACancelledCycleStopsAndTheNextOneGoesOn(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 1, Members: 100, Groups: 3}, idpsim.PushConfig{Workers: 3})
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int32
	b.scim.refuse = func(sent) int {
		if n.Add(1) == 20 {
			cancel()
		}
		return 0
	}
	if _, err := b.push.InitialCycle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if got := len(b.scim.take()); got >= 100 {
		t.Errorf("%d requests after cancelling at 20", got)
	}
	if s := b.cycle(); !s.Initial || !b.same() {
		t.Errorf("%+v", s)
	}
}

func TestAnyRunOfChangesReachesTheTarget(t *testing.T) {
	b := newBench(t, idpsim.Config{Seed: 9, Members: 60, Groups: 6}, idpsim.PushConfig{})
	b.cycle()
	users, groups := b.Users(), b.Groups()
	for i := range 200 {
		u, g := users[i*7%len(users)].ObjectID, groups[i*3%len(groups)].ObjectID
		var err error
		switch i % 10 {
		case 0:
			err = b.DisableUser(u)
		case 1:
			err = b.AddToGroup(g, u)
		case 2:
			err = b.RemoveFromGroup(g, u)
		case 3:
			err = b.Assign(u)
		case 4:
			err = b.EnableUser(u)
		case 5:
			err = b.UpdateUser(u, func(x *idpsim.User) { x.DisplayName += "!"; x.UserPrincipalName = fmt.Sprintf("n%d@x.example", i) })
		case 6:
			err = b.RenameGroup(g, fmt.Sprintf("Group %d", i))
		case 7:
			err = b.Assign(g)
		case 8:
			_ = b.Unassign(u) // not everyone has an assignment of their own
		case 9:
			_ = b.Unassign(g)
		}
		b.must(err)
		if i%17 == 0 {
			b.cycle()
		}
	}
	if s := b.cycle(); !b.same() || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}
