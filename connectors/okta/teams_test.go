package okta_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
)

// withGroups returns routes for groups with one member each.
func withGroups(routes map[string]http.HandlerFunc, groups ...int) map[string]http.HandlerFunc {
	for _, n := range groups {
		routes["/groups/"+id("00g", n)] = ok(group(n))
		routes["/groups/"+id("00g", n)+"/users"] = list(orgUser(n, "ACTIVE"))
	}
	return routes
}

// TestPushMappings: a group is a team while a mapping of it is on, or is failing; one is known by its source.
func TestPushMappings(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, withGroups(map[string]http.HandlerFunc{
		mappings:         linked(list(mapping(1, "ACTIVE"), mapping(2, "INACTIVE"), mapping(3, "ERROR")), next(mappings, "p2")),
		mappings + "#p2": list(mapping(1, "ACTIVE"), mapping(2, "ACTIVE"), mapping(4, "INACTIVE"), mapping(5, "ACTIVE")),
	}, 1, 2, 3, 4))
	got := pulled(t, c)
	if ids, want := got.GroupIDs(), []string{id("00g", 1), id("00g", 2), id("00g", 3)}; !slices.Equal(ids, want) {
		t.Errorf("groups %v, want %v", ids, want)
	}
	if l := listOf(t, got, connectors.Teams, ""); !l.Whole || l.Count != 3 || l.Began < 1 {
		t.Errorf("list of teams: %+v", l)
	}
	if l := listOf(t, got, connectors.Members, id("00g", 5)); l.Whole { // pushed, but gone
		t.Errorf("list of members of a group that is gone: %+v", l)
	}
	if n := len(f.requests("/groups/" + id("00g", 1) + "/users")); n != 1 {
		t.Errorf("the members of a group with two mappings were read %d times", n)
	}
}

// TestUnknownMappingStatus: whether such a group is a team can't be told, so the list isn't whole.
func TestUnknownMappingStatus(t *testing.T) {
	t.Parallel()
	c, _ := newFake(t, map[string]http.HandlerFunc{mappings: list(mapping(1, "PAUSED"))})
	if l := listOf(t, pulled(t, c), connectors.Teams, ""); l.Whole || l.Refused {
		t.Errorf("list of teams: %+v", l)
	}
}

// TestGroupRefused: a pushed group that can't be read leaves the list of teams in doubt.
func TestGroupRefused(t *testing.T) {
	t.Parallel()
	routes := withGroups(map[string]http.HandlerFunc{mappings: list(mapping(1, "ACTIVE"), mapping(2, "ACTIVE"))}, 1, 2)
	routes["/groups/"+id("00g", 1)] = refuse(http.StatusForbidden, "E0000006", "no")
	c, _ := newFake(t, routes)
	got := pulled(t, c)
	if l := listOf(t, got, connectors.Teams, ""); l.Whole || !strings.Contains(l.Err, "okta.groups.read") {
		t.Errorf("list of teams: %+v", l)
	}
	if l := listOf(t, got, connectors.Members, id("00g", 2)); !l.Whole {
		t.Errorf("the other group's members: %+v", l)
	}
}

// TestMappingsRefused: the configuration says what to do where Okta has no push mappings to list, and nothing is concluded
// from silence then.
func TestMappingsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed} {
		for mode, tc := range map[string]struct {
			groups  []string
			refused bool // as configured, and not an error of the run
		}{
			okta.TeamsPush:     {nil, false},
			okta.TeamsAssigned: {[]string{id("00g", 2), id("00g", 3)}, true},
			okta.TeamsLinked:   {nil, true},
		} {
			c, f := newFake(t, withGroups(map[string]http.HandlerFunc{
				appUsers: list(active(1)), mappings: refuse(status, "E0000006", "no"),
				appGroups:                      list(object{"id": id("00g", 2)}, object{"id": id("00g", 3)}),
				appGroups + "/" + id("00g", 2): ok(object{"id": id("00g", 2)}),
				"/users":                       list(), "/groups": list(),
			}, 1, 2, 3), teams(mode))
			got := pulled(t, c)
			if ids := got.GroupIDs(); !slices.Equal(ids, tc.groups) {
				t.Errorf("%d, teams %s: groups %v, want %v", status, mode, ids, tc.groups)
			}
			if l := listOf(t, got, connectors.Teams, ""); l.Whole || l.Refused != tc.refused || l.Err == "" {
				t.Errorf("%d, teams %s: list of teams %+v", status, mode, l)
			}
			if l := listOf(t, got, connectors.Assignments, ""); !l.Whole {
				t.Errorf("%d, teams %s: list of assignments %+v", status, mode, l)
			}
			if err := c.Test(t.Context()); (err == nil) != tc.refused {
				t.Errorf("%d, teams %s: Test = %v", status, mode, err)
			}
			for n, assigned := range map[int]bool{1: false, 2: true} {
				team, err := c.Team(t.Context(), id("00g", n))
				if (err == nil) != tc.refused || team.InScope != (assigned && mode == okta.TeamsAssigned) {
					t.Errorf("%d, teams %s: Team(%d) = %+v, %v", status, mode, n, team, err)
				}
			}
			if n := len(f.requests(appGroups)); (n > 0) != (mode == okta.TeamsAssigned) {
				t.Errorf("%d, teams %s: the assigned groups were asked for %d times", status, mode, n)
			}
		}
	}
}

// TestMappingsAnswered: where the list is given, the configuration's other way is not gone.
func TestMappingsAnswered(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, withGroups(map[string]http.HandlerFunc{mappings: list(mapping(1, "ACTIVE"))}, 1), teams(okta.TeamsAssigned))
	if l := listOf(t, pulled(t, c), connectors.Teams, ""); !l.Whole || l.Refused || l.Count != 1 {
		t.Errorf("list of teams: %+v", l)
	}
	if n := len(f.requests(appGroups)); n > 0 {
		t.Errorf("the assigned groups were asked for %d times", n)
	}
}

// TestFallbackBreaks: the assigned groups stand in, and that list breaks off: the pull lacks something.
func TestFallbackBreaks(t *testing.T) {
	t.Parallel()
	routes := withGroups(map[string]http.HandlerFunc{
		mappings:          refuse(http.StatusForbidden, "E0000006", "no"),
		appGroups:         linked(list(object{"id": id("00g", 2)}), next(appGroups, "p2")),
		appGroups + "#p2": refuse(http.StatusBadRequest, "E0000001", "no"),
	}, 2, 3)
	c, _ := newFake(t, routes, teams(okta.TeamsAssigned))
	got := pulled(t, c)
	if l := listOf(t, got, connectors.Teams, ""); l.Whole || l.Refused || l.Count != 1 {
		t.Errorf("the list broke off: %+v", l)
	}
	routes[appGroups+"#p2"] = list(object{"id": id("00g", 3)})
	routes["/groups/"+id("00g", 3)] = refuse(http.StatusForbidden, "E0000006", "no")
	c, _ = newFake(t, routes, teams(okta.TeamsAssigned))
	if l := listOf(t, pulled(t, c), connectors.Teams, ""); l.Whole || l.Refused || l.Count != 1 {
		t.Errorf("a group in it is refused: %+v", l)
	}
}

// TestTeamLooksAtItsMapping: only a mapping of that very group counts, whatever Okta makes of the filter.
func TestTeamLooksAtItsMapping(t *testing.T) {
	t.Parallel()
	c, f := newFake(t, withGroups(map[string]http.HandlerFunc{
		mappings: list(mapping(1, "ACTIVE"), mapping(2, "INACTIVE"), mapping(3, "ERROR")),
	}, 1, 2, 3, 4))
	for i, want := range []bool{true, false, true, false} {
		got, err := c.Team(t.Context(), id("00g", i+1))
		must(t, err)
		if got.InScope != want || got.Group == nil {
			t.Errorf("Team(%d) = %+v, want in scope: %t", i+1, got, want)
		}
		if q := f.requests(mappings)[i]; !strings.Contains(q, "sourceGroupId="+id("00g", i+1)) {
			t.Errorf("asked for %s", q)
		}
	}
}
