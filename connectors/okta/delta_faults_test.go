package okta_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestDeltaBreaksOff: whatever is not read to its end leaves the cursor where it was, and says what to do.
func TestDeltaBreaksOff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault idpsim.Fault
		want  string
	}{
		"time":                       {idpsim.Fault{Path: "/apps/*", Status: 403}, "okta.apps.read"},
		"users":                      {idpsim.Fault{Path: "/apps/*/users", Status: 403}, "okta.apps.read"},
		"users, second page":         {idpsim.Fault{Path: "/apps/*/users", Query: "after=", Status: 500}, "users"},
		"mappings":                   {idpsim.Fault{Path: "/apps/*/group-push/mappings", Status: 403}, "okta.groups.read"},
		"mappings, second page":      {idpsim.Fault{Path: "/apps/*/group-push/mappings", Query: "after=", Status: 500}, "mappings"},
		"changed groups":             {idpsim.Fault{Path: "/groups", Status: 403}, "okta.groups.read"},
		"changed groups not in time": {idpsim.Fault{Path: "/groups", Status: 500}, "groups that changed"},
		"changed groups, second":     {idpsim.Fault{Path: "/groups", Query: "after=", Status: 500}, "groups that changed"},
		"a group":                    {idpsim.Fault{Path: "/groups/*", Skip: 1, Status: 403}, "okta.groups.read"},
		"members, second page":       {idpsim.Fault{Path: "/groups/*/users", Query: "after=", Status: 500}, "members"},
		"a newcomer's groups":        {idpsim.Fault{Path: "/users/*/groups", Status: 403}, "okta.users.read"},
		"a newcomer's groups, more":  {idpsim.Fault{Path: "/users/*/groups", Query: "after=", Status: 500}, "groups of user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, 5, 10)
			for _, n := range []string{"Team 1", "Team 2", "Team 3", "Team 4"} {
				must(t, o.RemoveFromGroup(o.group(n), o.user("person0@initech.example")))
			}
			delete(o.users, o.user("person3@initech.example"))
			from := o.cursor
			o.Inject(tc.fault)
			synctest.Test(t, func(t *testing.T) {
				o.t = t
				_, err := o.delta()
				if err == nil || !strings.Contains(err.Error(), tc.want) || o.cursor != from {
					t.Errorf("Delta = %v, want %q, and the cursor %s for %s", err, tc.want, o.cursor, from)
				}
			})
			o.ClearFaults()
			o.t = t
			if read := o.reads(); len(read) != 10 { // the newcomer is in all of them
				t.Errorf("the next delta read %q", read)
			}
		})
	}
}

// TestDeltaThrottled: a limit that ends is waited for, as long as Okta says.
func TestDeltaThrottled(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/apps/*", "/apps/*/users", "/apps/*/group-push/mappings", "/groups", "/groups/*/users", "/users/*/groups"} {
		o := newOrg(t, 2, 2)
		must(t, o.RemoveFromGroup(o.group("Team 1"), o.user("person0@initech.example")))
		delete(o.users, o.user("person1@initech.example"))
		o.Inject(idpsim.Fault{Path: path, Status: http.StatusTooManyRequests, RetryAfter: "50", Count: 1})
		synctest.Test(t, func(t *testing.T) {
			o.t = t
			began := time.Now()
			if read := o.reads(); !slices.Equal(read, []string{"Team 0", "Team 1"}) {
				t.Errorf("%s: read %q", path, read)
			}
			if took := time.Since(began); took < 50*time.Second || took > 51*time.Second {
				t.Errorf("%s: waited for %s", path, took)
			}
		})
		o.t = t
		o.Inject(idpsim.Fault{Path: path, Status: http.StatusTooManyRequests, RetryAfter: "3600"})
		_, err := o.delta()
		if e := new(connectors.Error); !errors.As(err, &e) || e.Fault != connectors.Throttled || e.RetryAfter != time.Hour {
			t.Errorf("%s: Delta = %v", path, err)
		}
	}
}

// TestDeltaWithoutMappings: where Okta refuses the list of push mappings, the configuration says which groups are teams,
// and silence about one counts for nothing.
func TestDeltaWithoutMappings(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		for mode, want := range map[string][]string{okta.TeamsPush: nil, okta.TeamsAssigned: {"Access"}, okta.TeamsLinked: {}} {
			o := newOrg(t, 3, 2, teams(mode))
			g, err := o.AddGroup(idpsim.OktaGroup{Name: "Access"})
			must(t, err)
			must(t, o.AssignGroup(g.ID))
			o.learn()
			o.pass(time.Hour)
			o.RefusePushMappings(status)
			for _, name := range []string{"Access", "Team 0"} {
				member := o.person(name + "@initech.example")
				must(t, o.AddToGroup(o.group(name), member))
				o.users[member] = true
			}
			o.pass(time.Hour)
			got, err := o.delta(o.group("Team 1"))
			if want == nil {
				if e := new(connectors.Error); !errors.As(err, &e) || e.Status != status {
					t.Errorf("%d, teams %s: Delta = %v", status, mode, err)
				}
				continue
			}
			must(t, err)
			if read := o.names(got.GroupIDs()); !slices.Equal(read, want) || !slices.Equal(o.names(got.teams), want) {
				t.Errorf("%d, teams %s: read %q of %q, want %q", status, mode, read, o.names(got.teams), want)
			}
			l := listOf(t, &got.Recorder, connectors.Teams, "")
			if l.Whole || !l.Refused || l.Err == "" || l.Count != len(want) {
				t.Errorf("%d, teams %s: list of teams %+v", status, mode, l)
			}
			o.pass(time.Hour)
			if read := o.reads(); len(read) > 0 {
				t.Errorf("%d, teams %s: the next delta read %q", status, mode, read)
			}
		}
	}
}

// TestPushedGroupIsGone: a mapping whose group Okta doesn't know any more stops no delta, and its people are not taken as
// none.
func TestPushedGroupIsGone(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 2, 3)
	gone := o.group("Team 1")
	o.Inject(idpsim.Fault{Path: "/groups/" + gone, Status: http.StatusNotFound})
	got, err := o.delta(gone, o.group("Team 2"))
	must(t, err)
	if l := listOf(t, &got.Recorder, connectors.Members, gone); l.Whole || l.Err == "" {
		t.Errorf("list of members: %+v", l)
	}
	if l := listOf(t, &got.Recorder, connectors.Teams, ""); !l.Whole || l.Count != 2 {
		t.Errorf("list of teams: %+v", l)
	}
	if read := o.names(got.GroupIDs()); !slices.Equal(read, []string{"Team 2"}) {
		t.Errorf("read %q", read)
	}
	o = newOrg(t, 5, 3)
	gone = o.group("Team 1")
	o.Inject(idpsim.Fault{Path: "/groups/" + gone + "/users", Query: "after=", BeforeRead: func() { must(t, o.DeleteGroup(gone)) }, Count: 1})
	got, err = o.delta(gone, o.group("Team 2"))
	must(t, err)
	if l := listOf(t, &got.Recorder, connectors.Members, gone); l.Whole || l.Err == "" {
		t.Errorf("list of members of one that was deleted meanwhile: %+v", l)
	}
	if l := listOf(t, &got.Recorder, connectors.Members, o.group("Team 2")); !l.Whole {
		t.Errorf("list of members of another: %+v", l)
	}
}

// TestDeltaStopsWithItsSink: an error of the sink ends the delta, whatever it was given.
func TestDeltaStopsWithItsSink(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for _, method := range []string{
		"Users", "Assigned", "KnownUsers", "Groups", "Members",
		"Collection of assignments", "Collection of users", "Collection of teams", "Collection of members",
	} {
		o := newOrg(t, 2, 2)
		got := &deltaSink{fail: map[string]error{method: full}}
		if next, err := o.c.Delta(t.Context(), connectors.Since{Cursor: o.cursor}, got); !errors.Is(err, full) || next != "" {
			t.Errorf("%s: Delta = %q, %v", method, next, err)
		}
	}
}

// TestDeltaStamps: a stamp is taken before each request.
func TestDeltaStamps(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 7, 5)
	o.Deny(idpsim.OktaLogsRead) // else the second delta asks for less
	must(t, o.RenameGroup(o.group("Team 1"), "Team X"))
	delete(o.users, o.user("person1@initech.example"))
	budget, got := connectors.NewBudget(1000), &deltaSink{users: o.users, groups: o.groups}
	_, err := o.c.Delta(connectors.WithBudget(t.Context(), budget), connectors.Since{Cursor: o.cursor}, got)
	must(t, err)
	if taken, err := got.Stamp(t.Context()); err != nil || int(taken)-1 != budget.Spent() {
		t.Errorf("%d stamps for %d requests", taken-1, budget.Spent())
	}
	_, err = o.c.Delta(connectors.WithBudget(t.Context(), connectors.NewBudget(budget.Spent()-1)), connectors.Since{Cursor: o.cursor}, &deltaSink{users: o.users, groups: o.groups})
	if connectors.FaultOf(err) != connectors.OverBudget {
		t.Errorf("with a call less: %v", err)
	}
}
