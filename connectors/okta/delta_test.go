package okta_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestDeltaReadsChangedTeams: of the teams those that changed, that nobody knows, or that are named; everything else in
// full.
func TestDeltaReadsChangedTeams(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do    func(o *org) error
		named []string
		want  []string
	}{
		"nothing":              {do: func(*org) error { return nil }},
		"somebody comes":       {do: func(o *org) error { return o.AddToGroup(o.group("Team 1"), o.person("new@initech.example")) }, want: []string{"Team 1"}},
		"somebody goes":        {do: func(o *org) error { return o.RemoveFromGroup(o.group("Team 2"), o.user("person0@initech.example")) }, want: []string{"Team 2"}},
		"another name":         {do: func(o *org) error { return o.RenameGroup(o.group("Team 0"), "Team X") }, want: []string{"Team X"}},
		"a new team":           {do: func(o *org) error { o.team("Team 9"); return nil }, want: []string{"Team 9"}},
		"a group that is none": {do: func(o *org) error { _, err := o.AddGroup(idpsim.OktaGroup{Name: "Other"}); return err }},
		"pushed no more": {do: func(o *org) error {
			return errors.Join(o.RenameGroup(o.group("Team 1"), "x"), o.UnpushGroup(o.group("x")))
		}},
		"not known": {do: func(o *org) error { delete(o.groups, o.group("Team 1")); return nil }, want: []string{"Team 1"}},
		"named":     {do: func(*org) error { return nil }, named: []string{"Team 0", "Team 2"}, want: []string{"Team 0", "Team 2"}},
		"assigned, not pushed": {do: func(o *org) error {
			g, err := o.AddGroup(idpsim.OktaGroup{Name: "Access"})
			return errors.Join(err, o.AssignGroup(g.ID))
		}, named: []string{"Access"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, 5, 4)
			o.pass(time.Hour)
			must(t, tc.do(o))
			o.pass(time.Hour)
			var named []string
			for _, n := range tc.named {
				named = append(named, o.group(n))
			}
			got, err := o.delta(named...)
			must(t, err)
			if read := o.names(got.GroupIDs()); !slices.Equal(read, tc.want) && len(read)+len(tc.want) > 0 {
				t.Errorf("read %q, want %q", read, tc.want)
			}
			for _, id := range got.GroupIDs() {
				if l := listOf(t, &got.Recorder, connectors.Members, id); !l.Whole || !slices.Equal(got.MembersOf(id), o.Members(id)) {
					t.Errorf("members of %s: %+v with %q, want %q", id, l, got.MembersOf(id), o.Members(id))
				}
			}
			o.checkLists(got)
			if read := o.reads(); len(read) > 0 && name != "a new team" && name != "not known" {
				t.Errorf("a second delta read %q", read)
			}
		})
	}
}

// checkLists holds the lists that each delta reads in full against those of a pull.
func (o *org) checkLists(got *deltaSink) {
	o.t.Helper()
	pull := pulled(o.t, o.c)
	for _, kind := range []connectors.CollectionKind{connectors.Assignments, connectors.Users, connectors.Teams} {
		l, want := listOf(o.t, &got.Recorder, kind, ""), listOf(o.t, pull, kind, "")
		if l.Whole != want.Whole || l.Count != want.Count || l.Refused != want.Refused || l.Began < 1 {
			o.t.Errorf("list of %s: %+v, and in a pull %+v", kind, l, want)
		}
	}
	var people []string
	for _, a := range o.AppUsers() {
		people = append(people, a.ID)
		u, found := got.User(a.ID)
		if p, _ := pull.User(a.ID); !found || u.Enabled != p.Enabled || u.Scope != p.Scope || u.Attributes["userName"] != p.Attributes["userName"] {
			o.t.Errorf("%+v, and in a pull %+v", u, p)
		}
	}
	if !slices.Equal(got.people, people) || !slices.Equal(slices.Sorted(slices.Values(got.teams)), pull.GroupIDs()) {
		o.t.Errorf("assigned are %q and %q, want %q and %q", got.people, got.teams, people, pull.GroupIDs())
	}
}

// TestCursorOverlaps: what changed shortly before or with the cursor is read again, and what Okta's filter told late is
// not lost.
func TestCursorOverlaps(t *testing.T) {
	t.Parallel()
	change := func(o *org, login string) { must(o.t, o.AddToGroup(o.group("Team 0"), o.person(login))) }
	t.Run("in the same moment", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, 2, 2)
		change(o, "a@initech.example")
		if read := o.reads(); !slices.Equal(read, []string{"Team 0"}) {
			t.Errorf("read %q", read)
		}
		change(o, "b@initech.example")
		if read := o.reads(); !slices.Equal(read, []string{"Team 0"}) {
			t.Errorf("read %q", read)
		}
	})
	t.Run("while the pull before it read", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, 2, 2)
		o.pass(30 * time.Second)
		change(o, "a@initech.example")
		o.pass(24 * time.Hour)
		if read := o.reads(); !slices.Equal(read, []string{"Team 0"}) {
			t.Errorf("read %q", read)
		}
	})
	t.Run("shortly before", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, 2, 2)
		change(o, "a@initech.example")
		for i, want := range [][]string{{"Team 0"}, {"Team 0"}, {}} { // the last cursor lies a minute after the change
			o.pass(90 * time.Second)
			if read := o.reads(); !slices.Equal(read, want) {
				t.Errorf("delta %d read %q, want %q", i, read, want)
			}
		}
	})
	t.Run("during a delta that takes long", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, 2, 2)
		o.Inject(idpsim.Fault{Path: "/groups", Query: "filter=", Count: 1, BeforeAnswer: func() {
			change(o, "a@initech.example")
			o.pass(time.Hour)
		}})
		for i, want := range [][]string{{}, {"Team 0"}, {}} {
			if read := o.reads(); !slices.Equal(read, want) {
				t.Errorf("delta %d read %q, want %q", i, read, want)
			}
		}
	})
	t.Run("told late", func(t *testing.T) {
		t.Parallel()
		o := newOrg(t, 2, 2)
		o.pass(time.Hour)
		change(o, "a@initech.example")
		remove := o.Inject(idpsim.Fault{Path: "/groups", Query: "filter=", Lag: 2})
		if read := o.reads(); len(read) > 0 {
			t.Fatalf("read %q", read)
		}
		remove()
		o.pass(time.Minute)
		if read := o.reads(); !slices.Equal(read, []string{"Team 0"}) {
			t.Errorf("read %q", read)
		}
	})
}

// TestClockOfTheOrg: only Okta's own time counts. Where it went back, what changed meanwhile is dated before the cursor.
func TestClockOfTheOrg(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after time.Duration
		fault         connectors.Fault
	}{
		"behind ours":           {-7 * time.Hour, -7 * time.Hour, ""},
		"ahead of ours":         {7 * time.Hour, 7 * time.Hour, ""},
		"set right from behind": {-7 * time.Hour, 0, ""},
		"set back a little":     {time.Minute, 0, ""},
		"set back by hours":     {7 * time.Hour, 0, connectors.LostCursor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, 2, 3)
			o.SetSkew(tc.before)
			o.learn()
			o.SetSkew(tc.after)
			o.pass(10 * time.Second)
			must(t, o.RemoveFromGroup(o.group("Team 1"), o.user("person0@initech.example")))
			o.pass(10 * time.Second)
			got, err := o.delta()
			if connectors.FaultOf(err) != tc.fault || tc.fault == "" && err != nil {
				t.Fatalf("Delta = %v, want %q", err, tc.fault)
			}
			if read := o.names(got.GroupIDs()); tc.fault == "" && !slices.Equal(read, []string{"Team 1"}) {
				t.Errorf("read %q", read)
			}
		})
	}
}

// TestFilterRefused: where Okta does not take the filter, each team is asked for, and no more than that.
func TestFilterRefused(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 5, 4)
	o.Inject(idpsim.Fault{Path: "/groups", Query: "filter=", Status: http.StatusBadRequest, Code: "E0000031"})
	o.pass(time.Hour)
	must(t, o.RenameGroup(o.group("Team 1"), "Team X"))
	must(t, o.RemoveFromGroup(o.group("Team 3"), o.user("person0@initech.example")))
	delete(o.groups, o.group("Team 2"))
	o.pass(time.Hour)
	o.ResetRequests()
	got, err := o.delta()
	must(t, err)
	if read, want := o.names(got.GroupIDs()), []string{"Team 2", "Team 3", "Team X"}; !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
	for _, id := range got.GroupIDs() {
		if l := listOf(t, &got.Recorder, connectors.Members, id); !l.Whole {
			t.Errorf("list of members %+v", l)
		}
	}
	if n := o.Requests(); n["GET /groups/{id}"] != 4 || n["GET /groups/{id}/users"] != 6 { // two pages each
		t.Errorf("requests %v", n)
	}
	o.checkLists(got)
	o.pass(time.Hour)
	if read := o.reads(); !slices.Equal(read, []string{"Team 2"}) { // still not known
		t.Errorf("the next delta read %q", read)
	}
}

// TestFilterNotApplied: groups are looked at, also where Okta hands over all of them.
func TestFilterNotApplied(t *testing.T) {
	t.Parallel()
	old, changed, silent := group(1), group(2), group(3)
	for g, at := range map[*object]string{&old: "2026-11-01T00:00:00.000Z", &changed: "2026-11-02T10:00:00.000Z"} {
		(*g)["lastUpdated"], (*g)["lastMembershipUpdated"] = "2025-01-01T00:00:00.000Z", at
	}
	c, f := newFake(t, withGroups(map[string]http.HandlerFunc{
		"/apps/" + appID: dated(ok(object{"id": appID})), "/groups": linked(list(old, changed, group(4)), next("/groups", "p2")), "/groups#p2": list(silent),
		mappings: list(mapping(1, "ACTIVE"), mapping(2, "ACTIVE"), mapping(3, "ACTIVE")),
	}, 1, 2, 3))
	got := &deltaSink{groups: map[string]bool{id("00g", 1): true, id("00g", 2): true, id("00g", 3): true}}
	_, err := c.Delta(t.Context(), connectors.Since{Cursor: "okta/1 2026-11-02T09:00:00Z"}, got)
	must(t, err)
	if ids, want := got.GroupIDs(), []string{id("00g", 2), id("00g", 3)}; !slices.Equal(ids, want) {
		t.Errorf("read %q, want %q", ids, want)
	}
	q, _ := url.ParseQuery(f.requests("/groups")[0])
	const want = `lastMembershipUpdated gt "2026-11-02T09:00:00.000Z" or lastUpdated gt "2026-11-02T09:00:00.000Z"`
	if q.Get("filter") != want || q.Get("limit") != "200" || q.Get("search") != "" {
		t.Errorf("asked with %v", q)
	}
}

// dated adds a date to an answer.
func dated(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Mon, 02 Nov 2026 10:00:00 GMT")
		h(w, r)
	}
}

// TestCursors: what is no cursor of Okta's is not gone on from, and without Okta's time there is none.
func TestCursors(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"", "x", "2026-11-02T09:00:00Z", "okta/1 2026-11-02", "okta/2 2026-11-02T09:00:00Z", "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x"} {
		o := newOrg(t, 1, 1)
		o.cursor = cursor
		o.ResetRequests()
		if _, err := o.delta(); connectors.FaultOf(err) != connectors.LostCursor || len(o.Requests()) > 0 {
			t.Errorf("cursor %q: %v after %v", cursor, err, o.Requests())
		}
	}
	for name, app := range map[string]http.HandlerFunc{
		"no date":           ok(object{"id": appID}),
		"another":           dated(ok(object{"id": "0oaAnother"})),
		"an empty answer":   dated(ok(object{})),
		"a page of a proxy": dated(reply(http.StatusOK, "<html>")),
		"a date that is none": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "2026-11-02T10:00:00Z")
			ok(object{"id": appID})(w, r)
		},
	} {
		c, _ := newFake(t, map[string]http.HandlerFunc{"/apps/" + appID: app})
		if cursor, err := c.Cursor(t.Context()); cursor != "" || connectors.FaultOf(err) != connectors.Broken {
			t.Errorf("%s: Cursor = %q, %v", name, cursor, err)
		}
	}
	c, _ := newFake(t, map[string]http.HandlerFunc{"/apps/" + appID: refuse(http.StatusForbidden, "E0000006", "no")})
	if _, err := c.Cursor(t.Context()); connectors.FaultOf(err) != connectors.MissingPermission || !strings.Contains(err.Error(), "okta.apps.read") {
		t.Errorf("Cursor = %v", err)
	}
}
