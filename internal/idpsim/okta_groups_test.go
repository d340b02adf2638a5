package idpsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

// changed returns the names of the groups that the filter of a delta finds.
func (o *okta) changed(after time.Time) []string {
	o.t.Helper()
	at := after.UTC().Format("2006-01-02T15:04:05.000Z")
	a := o.get("/groups?limit=200&filter=" + url.QueryEscape(fmt.Sprintf("lastMembershipUpdated gt %q or lastUpdated gt %q", at, at)))
	if a.Status != http.StatusOK {
		o.t.Fatalf("%d %s", a.Status, a.Raw)
	}
	var names []string
	for _, g := range a.list() {
		names = append(names, text(g, "profile", "name"))
	}
	slices.Sort(names)
	return names
}

func TestAGroupsTimesMoveWithItsMembersAndItsName(t *testing.T) {
	c := newClock()
	o := newOkta(t, idpsim.OktaConfig{Now: c.time})
	u, a, b := o.person("ada@initech.example"), o.team("A"), o.team("B")
	times := func(id string) (updated, members time.Time) {
		g, _ := o.Group(id)
		return g.LastUpdated, g.LastMembershipUpdated
	}
	for i, step := range []struct {
		do               func() error
		updated, members bool
		found            []string
	}{
		{func() error { return o.AddToGroup(a.ID, u.ID) }, false, true, []string{"A"}},
		{func() error { return o.AddToGroup(a.ID, u.ID) }, false, false, nil}, // they were in it
		{func() error { return o.RenameGroup(a.ID, "C") }, true, false, []string{"C"}},
		{func() error { return o.AssignUser(u.ID) }, false, false, nil},
		{func() error { return o.Suspend(u.ID) }, false, false, nil},
		{func() error { return o.AssignGroup(a.ID) }, false, false, nil},
		{func() error { return o.PushGroup(a.ID) }, false, false, nil},
		{func() error { return o.RemoveFromGroup(a.ID, u.ID) }, false, true, []string{"C"}},
		{func() error { return o.AddToGroup(a.ID, u.ID) }, false, true, []string{"C"}},
		{func() error { return o.Deactivate(u.ID) }, false, false, nil}, // they stay in it
		{func() error { return o.DeleteUser(u.ID) }, false, true, []string{"C"}},
	} {
		before, membersBefore := times(a.ID)
		at := c.now
		c.pass(time.Minute)
		o.must(step.do())
		updated, members := times(a.ID)
		if updated.After(before) != step.updated || members.After(membersBefore) != step.members {
			t.Errorf("step %d: updated %v to %v, members %v to %v", i, before, updated, membersBefore, members)
		}
		if got := o.changed(at); !slices.Equal(got, step.found) {
			t.Errorf("step %d: the filter finds %q, want %q", i, got, step.found)
		}
	}
	if got := o.changed(time.Time{}); !slices.Equal(got, []string{"B", "C"}) {
		t.Errorf("since the beginning: %q", got)
	}
	if _, members := times(b.ID); members.IsZero() {
		t.Error("a new group has no time of its members")
	}
}

func TestTheGroupsFilterTakesWhatIsDocumented(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{Seed: 1, Members: 10, Groups: 2})
	for query, ok := range map[string]bool{
		`filter=type eq "OKTA_GROUP"`: true, `filter=id eq "x"`: true,
		`filter=type eq "OKTA_GROUP" and (lastUpdated lt "2026-01-01T00:00:00.000Z" or lastMembershipUpdated gt "2026-01-01T00:00:00.000Z")`: true,
		`filter=lastUpdated ge "2026-01-01T00:00:00.000Z"`: false,
		`filter=profile.name eq "x"`:                       false,
		`filter=created gt "2026-01-01T00:00:00.000Z"`:     false,
		`filter=type gt "A"`:                               false,
		`search=profile.name eq "x"`:                       true,
		`search=lastUpdated ge "2026-01-01T00:00:00.000Z"`: true,
	} {
		if a := o.get("/groups?" + query); (a.Status == http.StatusOK) != ok || !ok && a.code() != "E0000031" {
			t.Errorf("%s: %d %s", query, a.Status, a.Raw)
		}
	}
}

func TestAPersonsGroupsArePaged(t *testing.T) {
	o := newOkta(t, idpsim.OktaConfig{PageSize: 2})
	u := o.person("ada@initech.example")
	var want []string
	for i := range 5 {
		g := o.team(fmt.Sprint("G", i))
		o.must(o.AddToGroup(g.ID, u.ID))
		want = append(want, g.ID)
	}
	o.team("other")
	slices.Sort(want)
	if ids, pages := o.all("/users/" + u.ID + "/groups"); !slices.Equal(ids, want) || pages != 3 {
		t.Errorf("%q on %d pages, want %q", ids, pages, want)
	}
	o.Inject(idpsim.Fault{Path: "/users/*/groups", Query: "after=", Status: 500})
	if a := o.get(o.get("/users/" + u.ID + "/groups").link("next")); a.Status != 500 {
		t.Errorf("the second page: %d", a.Status)
	}
	o.ClearFaults()
	if a := o.get("/users/nobody/groups"); a.Status != http.StatusNotFound {
		t.Errorf("of nobody: %d", a.Status)
	}
	o.Deny(idpsim.OktaUsersRead)
	if a := o.get("/users/" + u.ID + "/groups"); a.Status != http.StatusForbidden {
		t.Errorf("without the permission: %d", a.Status)
	}
}

func TestASkewedClockIsShownByDatesAndStampsAlike(t *testing.T) {
	c := newClock()
	o := newOkta(t, idpsim.OktaConfig{Now: c.time, RateLimit: 1})
	o.SetSkew(-5 * time.Hour)
	g := o.team("A")
	want := c.now.Add(-5 * time.Hour)
	if !g.LastUpdated.Equal(want) || !slices.Equal(o.changed(want.Add(-time.Second)), []string{"A"}) {
		t.Errorf("%v, want %v", g.LastUpdated, want)
	}
	a := o.get("/groups")
	if a.Header.Get("Date") != want.Format(http.TimeFormat) || a.Status != http.StatusTooManyRequests ||
		a.Header.Get("X-Rate-Limit-Reset") != fmt.Sprint(want.Truncate(time.Minute).Add(time.Minute).Unix()) {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	o.SetSkew(0)
	if a := o.get("/groups"); a.Header.Get("Date") != c.now.Format(http.TimeFormat) {
		t.Errorf("set right: %v", a.Header)
	}
}

func TestPushMappingsNeedBothPermissions(t *testing.T) {
	for _, p := range []idpsim.OktaPermission{idpsim.OktaAppsRead, idpsim.OktaGroupsRead} {
		o := newOkta(t, idpsim.OktaConfig{})
		o.Deny(p)
		if a := o.get(o.app("/group-push/mappings")); a.Status != http.StatusForbidden {
			t.Errorf("without %s: %d", p, a.Status)
		}
	}
}
