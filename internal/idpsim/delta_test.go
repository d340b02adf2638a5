package idpsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
)

const (
	userChanges  = "/users/delta()?$select=id,displayName,mail,accountEnabled"
	groupChanges = "/groups/delta()?$select=id,displayName,members"
)

// round follows a delta query to its end, and returns its entries, how many pages there were, and the delta link.
func (g *graph) round(path string) (entries []map[string]any, pages int, link string) {
	g.t.Helper()
	for path != "" {
		a := g.get(path)
		if a.Status != http.StatusOK {
			g.t.Fatalf("GET %s: %d %s", path, a.Status, a.Raw)
		}
		entries = append(entries, a.values()...)
		pages++
		path, _ = a.Body["@odata.nextLink"].(string)
		link, _ = a.Body["@odata.deltaLink"].(string)
		if (path == "") == (link == "") {
			g.t.Fatalf("a page gave the next link %q and the delta link %q", path, link)
		}
	}
	return entries, pages, link
}

// now returns a delta link that stands for now.
func (g *graph) now(path string) string {
	g.t.Helper()
	entries, _, link := g.round(path + "&$deltatoken=latest")
	if len(entries) > 0 {
		g.t.Fatalf("latest gave %v", entries)
	}
	return link
}

// said writes entries down: what is removed and why, and of groups the members that came (+) and went (-).
func said(entries []map[string]any) []string {
	var out []string
	for _, e := range entries {
		line := fmt.Sprint(e["id"])
		if removed, ok := e["@removed"].(map[string]any); ok {
			line += fmt.Sprintf(" removed %v", removed["reason"])
		}
		members, _ := e["members@delta"].([]any)
		for _, m := range members {
			m, _ := m.(map[string]any)
			sign := "+"
			if m["@removed"] != nil {
				sign = "-"
			}
			line += fmt.Sprintf(" %s%v(%s)", sign, m["id"], strings.TrimPrefix(fmt.Sprint(m["@odata.type"]), "#microsoft.graph."))
		}
		out = append(out, line)
	}
	return out
}

// deltaTenant returns a small tenant, three of its people and two of its groups.
func deltaTenant(t *testing.T, cfg idpsim.Config) (g *graph, people []idpsim.User, groups []idpsim.Group) {
	t.Helper()
	cfg.Seed, cfg.Members, cfg.Groups, cfg.Outsiders, cfg.Disabled = 3, 12, 3, -1, -1
	g = newGraph(t, cfg)
	return g, g.Users()[:3], g.Groups()[:2]
}

func TestADeltaSaysEachChangeOfASelectedProperty(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{})
	for name, tc := range map[string]struct {
		change func(id string) error
		want   string // after the id; "nothing" is no entry
	}{
		"a selected property": {
			change: func(id string) error { return g.UpdateUser(id, func(u *idpsim.User) { u.Mail = "x@contoso.example" }) },
		},
		"a property that isn't selected": {
			change: func(id string) error { return g.UpdateUser(id, func(u *idpsim.User) { u.JobTitle = "Poet" }) }, want: "nothing",
		},
		"disabled": {change: g.DisableUser},
		"enabled":  {change: g.EnableUser},
		"assigned or not": {
			change: func(id string) error { _ = g.Unassign(id); return g.Assign(id) }, want: "nothing",
		},
		"soft-deleted":     {change: g.DeleteUser, want: " removed changed"},
		"deleted for good": {change: g.PurgeUser, want: " removed deleted"},
	} {
		id := people[0].ObjectID
		switch name {
		case "enabled":
			noError(t, g.DisableUser(id))
		case "deleted for good":
			noError(t, g.DeleteUser(id))
		}
		link := g.now(userChanges)
		noError(t, tc.change(id))
		entries, _, next := g.round(link)
		want := []string{id + tc.want}
		if tc.want == "nothing" {
			want = nil
		}
		if got := said(entries); !slices.Equal(slices.Compact(got), want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if again, _, _ := g.round(next); len(again) > 0 {
			t.Errorf("%s: the next delta says %v", name, again)
		}
		people = people[1:]
		if len(people) == 0 {
			people = g.Users()[:3]
		}
	}
}

func TestADeltaSaysWhoCameToAGroupAndWhoWent(t *testing.T) {
	g, people, groups := deltaTenant(t, idpsim.Config{})
	added, err := g.AddGroup(idpsim.Group{DisplayName: "New"})
	noError(t, err)
	red, a, b := added.ObjectID, people[0].ObjectID, people[1].ObjectID
	link := g.now(groupChanges)
	noError(t, g.AddToGroup(red, a, b, groups[0].ObjectID))
	noError(t, g.RemoveFromGroup(red, a))
	noError(t, g.DeleteUser(b)) // keeps their memberships, and nothing is said
	noError(t, g.RestoreUser(b))
	noError(t, g.RenameGroup(red, "Renamed"))
	entries, _, link := g.round(link)
	want := []string{
		red + fmt.Sprintf(" +%s(user) +%s(user) +%s(group)", a, b, groups[0].ObjectID), red + fmt.Sprintf(" -%s(user)", a), red,
	}
	if got := said(entries); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	noError(t, g.DeleteUser(b))
	noError(t, g.PurgeUser(b))
	noError(t, g.DeleteGroup(groups[0].ObjectID))
	entries, _, _ = g.round(link)
	got := said(entries)
	for _, line := range []string{red + fmt.Sprintf(" -%s(user)", b), groups[0].ObjectID + " removed deleted", red + fmt.Sprintf(" -%s(group)", groups[0].ObjectID)} {
		if !slices.Contains(got, line) {
			t.Errorf("%v doesn't say %q", got, line)
		}
	}
	names := "/groups/delta?$select=id,displayName"
	link = g.now(names)
	noError(t, g.RemoveFromGroup(red, groups[1].ObjectID, people[2].ObjectID))
	noError(t, g.AddToGroup(red, people[2].ObjectID))
	if entries, _, _ = g.round(link); len(entries) > 0 {
		t.Errorf("without members in $select: %v", said(entries))
	}
}

func TestADeltaEntryMayHoldOnlyWhatChanged(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{})
	partial, full := false, false
	for i := range 4 {
		link := g.now(userChanges)
		noError(t, g.UpdateUser(people[0].ObjectID, func(u *idpsim.User) { u.Mail = fmt.Sprintf("x%d@contoso.example", i) }))
		entries, _, _ := g.round(link)
		if len(entries) != 1 || entries[0]["mail"] != fmt.Sprintf("x%d@contoso.example", i) {
			t.Fatalf("%v", entries)
		}
		if _, all := entries[0]["displayName"]; all {
			full = true
		} else {
			partial = true
		}
	}
	if !partial || !full {
		t.Errorf("partial entries: %t, full ones: %t, want both", partial, full)
	}
}

func TestADeltaComesInPagesOfWhichOneIsEmpty(t *testing.T) {
	g, people, groups := deltaTenant(t, idpsim.Config{PageSize: 2})
	users, members := g.now(userChanges), g.now(groupChanges)
	for i := range 5 {
		noError(t, g.UpdateUser(people[i%2].ObjectID, func(u *idpsim.User) { u.Mail = fmt.Sprintf("x%d@contoso.example", i) }))
	}
	entries, pages, _ := g.round(users)
	if len(entries) != 5 || pages != 4 {
		t.Errorf("%d entries on %d pages, want each change of 2 people on 3 pages and an empty one", len(entries), pages)
	}
	var crowd []string
	for i := range 50 {
		u, err := g.AddUser(idpsim.User{UserPrincipalName: fmt.Sprintf("crowd%d@contoso.example", i)})
		noError(t, err)
		crowd = append(crowd, u.ObjectID)
	}
	noError(t, g.AddToGroup(groups[0].ObjectID, crowd...))
	entries, pages, _ = g.round(members)
	found := 0
	for _, e := range entries {
		list, _ := e["members@delta"].([]any)
		found += len(list)
	}
	if len(entries) != 3 || pages != 3 || found != 50 {
		t.Errorf("%d members in %d entries on %d pages, want one group's 50 in 3 on 2, and an empty page", found, len(entries), pages)
	}
}

// TestAChangeBetweenPages: it is said by the next round, if not by this one, and no other is lost by it.
func TestAChangeBetweenPages(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{PageSize: 1})
	link := g.now(userChanges)
	for _, p := range people {
		noError(t, g.DisableUser(p.ObjectID))
	}
	changed := false
	remove := g.Inject(idpsim.Fault{Path: "/users/delta()", Skip: 2, Count: 1, BeforeRead: func() {
		changed = true
		noError(t, g.UpdateUser(people[0].ObjectID, func(u *idpsim.User) { u.Mail = "later@contoso.example" }))
	}})
	entries, _, link := g.round(link)
	remove()
	if got := said(entries); !changed || len(got) != len(people) {
		t.Errorf("%v", got)
	}
	if entries, _, _ = g.round(link); !slices.Equal(said(entries), []string{people[0].ObjectID}) {
		t.Errorf("the next round says %v", said(entries))
	}
}

func TestTheFirstRoundOfADeltaListsEverything(t *testing.T) {
	g, _, _ := deltaTenant(t, idpsim.Config{PageSize: 5})
	entries, pages, link := g.round("/users/delta?$select=id,displayName")
	ids := map[string]bool{}
	for _, e := range entries {
		ids[fmt.Sprint(e["id"])] = true
	}
	if len(ids) != len(g.Users()) || pages != 3 {
		t.Errorf("%d of %d users on %d pages", len(ids), len(g.Users()), pages)
	}
	if entries, _, _ = g.round(link); len(entries) > 0 {
		t.Errorf("the round after it: %v", entries)
	}
	members := map[string]int{}
	entries, _, _ = g.round("/groups/delta()")
	for _, e := range entries {
		list, _ := e["members@delta"].([]any)
		members[fmt.Sprint(e["id"])] += len(list)
	}
	for _, group := range g.Groups() {
		if members[group.ObjectID] != len(g.Members(group.ObjectID)) {
			t.Errorf("%s: %d members, want %d", group.DisplayName, members[group.ObjectID], len(g.Members(group.ObjectID)))
		}
	}
}

func TestDeltaTokensExpireInBothShapes(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{PageSize: 1})
	link := g.now(userChanges)
	for _, p := range people {
		noError(t, g.DisableUser(p.ObjectID))
	}
	next, _ := g.get(link).Body["@odata.nextLink"].(string)
	g.ExpireDeltaTokens(idpsim.DeltaGone)
	for _, path := range []string{link, next} {
		a := g.get(path)
		if at := a.Header.Get("Location"); a.Status != http.StatusGone || !strings.HasSuffix(at, "/users/delta()?$deltatoken=") {
			t.Errorf("%d with Location %q", a.Status, at)
		}
	}
	fresh := g.now(userChanges)
	if a := g.get(fresh); a.Status != http.StatusOK {
		t.Errorf("a token from after the expiry: %d %s", a.Status, a.Raw)
	}
	g.ExpireDeltaTokens(idpsim.DeltaSyncStateNotFound)
	if a := g.get(fresh); a.Status != http.StatusBadRequest || a.code() != "syncStateNotFound" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}

// TestTheLogOfChangesIsBounded: what it has forgotten, a token from before it has expired.
func TestTheLogOfChangesIsBounded(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{DeltaLog: 100})
	old := g.now(userChanges)
	for i := range 200 {
		noError(t, g.UpdateUser(people[0].ObjectID, func(u *idpsim.User) { u.Mail = fmt.Sprintf("x%d@contoso.example", i) }))
		if i == 180 {
			recent := g.now(userChanges)
			defer func() {
				if entries, _, _ := g.round(recent); len(entries) != 19 {
					t.Errorf("%d of the last 19 changes", len(entries))
				}
			}()
		}
	}
	if a := g.get(old); a.Status != http.StatusGone {
		t.Errorf("a token from before what is kept: %d %s", a.Status, a.Raw)
	}
}

func TestADeltaRefusesWhatGraphRefuses(t *testing.T) {
	g, _, _ := deltaTenant(t, idpsim.Config{})
	users := strings.TrimPrefix(g.now(userChanges), g.url+"/v1.0/users")
	for path, want := range map[string]int{
		"/users/delta()?$top=5": http.StatusBadRequest, "/users/delta()?$expand=manager": http.StatusBadRequest,
		"/users/delta()?$orderby=id": http.StatusBadRequest, "/users/delta()?$select=shoeSize": http.StatusBadRequest,
		"/users/delta()?$deltatoken=x": http.StatusBadRequest, "/groups" + users: http.StatusBadRequest,
		"/users/delta()": http.StatusOK, "/groups/delta": http.StatusOK,
	} {
		if a := g.get(path); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
	g.Deny(idpsim.UserReadAll)
	if a := g.get(userChanges); a.Status != http.StatusForbidden {
		t.Errorf("without permission: %d", a.Status)
	}
}

func TestFaultsStrikeDeltas(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{PageSize: 1})
	link := g.now(userChanges)
	noError(t, g.DisableUser(people[0].ObjectID))
	noError(t, g.DisableUser(people[1].ObjectID))
	defer g.Inject(idpsim.Fault{Path: "/users/delta()", Count: 1, Status: 429, RetryAfter: "2"})()
	if a := g.get(link); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "2" {
		t.Errorf("throttled: %d", a.Status)
	}
	defer g.Inject(idpsim.Fault{Path: "/users/delta()", Count: 1, DropNextLink: true})()
	a := g.get(link)
	if _, found := a.Body["@odata.nextLink"]; found || len(a.values()) != 1 || a.Body["@odata.deltaLink"] != nil {
		t.Errorf("without its next link: %s", a.Raw)
	}
	lagging := g.Inject(idpsim.Fault{Path: "/users/delta()", Lag: 1})
	entries, _, later := g.round(link)
	if !slices.Equal(said(entries), []string{people[0].ObjectID}) {
		t.Errorf("one change behind: %v", said(entries))
	}
	lagging()
	if entries, _, _ = g.round(later); !slices.Equal(said(entries), []string{people[1].ObjectID}) {
		t.Errorf("what lagged behind: %v", said(entries))
	}
}

func TestADeltaMayRepeatWhatWasBeforeItsToken(t *testing.T) {
	g, people, _ := deltaTenant(t, idpsim.Config{DeltaReplays: 1})
	noError(t, g.DisableUser(people[0].ObjectID))
	link := g.now(userChanges)
	noError(t, g.DisableUser(people[1].ObjectID))
	if entries, _, _ := g.round(link); !slices.Equal(said(entries), []string{people[0].ObjectID, people[1].ObjectID}) {
		t.Errorf("%v", said(entries))
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
