package okta_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestNewcomers: who comes to the application when they have been in pushed groups for long is found in them, though no
// group changed; nothing is said of those groups' other members.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 2, 4)
	late, off := o.person("late@initech.example"), o.person("off@initech.example")
	other, err := o.AddGroup(idpsim.OktaGroup{Name: "Other"})
	must(t, err)
	for _, g := range []string{o.group("Team 1"), o.group("Team 3"), other.ID} {
		must(t, o.AddToGroup(g, late, off))
	}
	o.pass(time.Hour)
	o.learn()
	o.pass(time.Hour)
	must(t, o.AssignUser(late, off))
	must(t, o.Suspend(off))
	must(t, o.RenameGroup(o.group("Team 3"), "Team X"))
	got, err := o.delta()
	must(t, err)
	if read := o.names(got.GroupIDs()); !slices.Equal(read, []string{"Team 1", "Team X"}) {
		t.Errorf("read %q", read)
	}
	if members := got.MembersOf(o.group("Team 1")); !slices.Equal(members, []string{late}) {
		t.Errorf("members %q, want only %s", members, late)
	}
	if l, ended := got.ListOf(connectors.Members, o.group("Team 1")); ended {
		t.Errorf("the list of members was ended: %+v", l)
	}
	if l := listOf(t, &got.Recorder, connectors.Members, o.group("Team X")); !l.Whole || l.Count != 4 {
		t.Errorf("list of members: %+v", l)
	}
	if slices.Contains(got.asked, off) || !slices.Contains(got.asked, late) {
		t.Errorf("it was asked whether %q are known", got.asked)
	}
}

// TestManyNewcomers: where there are more newcomers than reading the teams costs, the teams are read.
func TestManyNewcomers(t *testing.T) {
	t.Parallel()
	for people, readsTeams := range map[int]bool{4: false, 5: true} {
		o := newOrg(t, people, 2)
		clear(o.users)
		o.ResetRequests()
		got, err := o.delta()
		must(t, err)
		n := o.Requests()
		if (n["GET /users/{id}/groups"] == 0) != readsTeams || (n["GET /groups/{id}/users"] > 0) != readsTeams {
			t.Errorf("%d newcomers: %v", people, n)
		}
		for _, id := range got.GroupIDs() {
			if !slices.Equal(got.MembersOf(id), o.Members(id)) {
				t.Errorf("%d newcomers: members %q", people, got.MembersOf(id))
			}
		}
		if ids := got.GroupIDs(); len(ids) != 2 {
			t.Errorf("%d newcomers: groups %q", people, ids)
		}
	}
}

// TestNewcomerIsGone: one who was deleted since the list of users was read stops no delta.
func TestNewcomerIsGone(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 2, 2)
	clear(o.users)
	gone := o.user("person0@initech.example")
	o.Inject(idpsim.Fault{Path: "/users/*/groups", Count: 1, BeforeRead: func() { must(t, o.DeleteUser(gone)) }})
	got, err := o.delta()
	must(t, err)
	for _, id := range got.GroupIDs() {
		if members := got.MembersOf(id); slices.Contains(members, gone) || len(members) != 1 {
			t.Errorf("members of %s: %q", id, members)
		}
	}
	if len(got.GroupIDs()) != 2 {
		t.Errorf("groups %q", got.GroupIDs())
	}
}

// TestGroupsOf: every group that holds a person directly, over all pages, pushed or not.
func TestGroupsOf(t *testing.T) {
	t.Parallel()
	o := newOrg(t, 2, 7)
	other, err := o.AddGroup(idpsim.OktaGroup{Name: "Other"})
	must(t, err)
	u := o.user("person1@initech.example")
	must(t, o.AddToGroup(other.ID, u))
	must(t, o.RemoveFromGroup(o.group("Team 2"), u))
	got, err := o.c.GroupsOf(t.Context(), u)
	must(t, err)
	if names, want := o.names(got), []string{"Other", "Team 0", "Team 1", "Team 3", "Team 4", "Team 5", "Team 6"}; !slices.Equal(names, want) {
		t.Errorf("GroupsOf = %q, want %q", names, want)
	}
	if got, err := o.c.GroupsOf(t.Context(), o.person("alone@initech.example")); err != nil || len(got) > 0 {
		t.Errorf("GroupsOf one in none = %q, %v", got, err)
	}
	if _, err := o.c.GroupsOf(t.Context(), id("00u", 404)); connectors.FaultOf(err) != connectors.NotFound {
		t.Errorf("GroupsOf nobody = %v", err)
	}
	if _, err := o.c.GroupsOf(t.Context(), "../groups"); connectors.FaultOf(err) != connectors.Broken {
		t.Errorf("GroupsOf what is no id = %v", err)
	}
	o.Inject(idpsim.Fault{Path: "/users/*/groups", Query: "after=", Status: http.StatusForbidden})
	if got, err := o.c.GroupsOf(t.Context(), u); got != nil || connectors.FaultOf(err) != connectors.MissingPermission {
		t.Errorf("GroupsOf with a page refused = %q, %v", got, err)
	}
}

// keeper applies deltas as rosterd does: memberships are those of people who are here, and one who is off keeps theirs
// until the group's whole list doesn't hold them.
type keeper struct {
	on      map[string]bool
	names   map[string]string
	members map[string]map[string]bool
}

// take applies a delta that ended.
func (k *keeper) take(got *deltaSink) {
	if l, _ := got.ListOf(connectors.Assignments, ""); !l.Changes {
		k.on = map[string]bool{}
	}
	for _, id := range got.UserIDs() {
		if u, _ := got.User(id); u.Enabled && u.Gone == "" {
			k.on[id] = true
		} else {
			delete(k.on, id)
		}
	}
	on := k.on
	teams := map[string]bool{}
	for _, id := range got.teams {
		teams[id] = true
	}
	maps.DeleteFunc(k.names, func(id, _ string) bool { return !teams[id] })
	for _, id := range got.GroupIDs() {
		k.names[id] = got.named[id]
		if k.members[id] == nil {
			k.members[id] = map[string]bool{}
		}
		listed := map[string]bool{}
		for _, m := range got.MembersOf(id) {
			listed[m] = true
			if on[m] {
				k.members[id][m] = true
			}
		}
		if l, ended := got.ListOf(connectors.Members, id); ended && l.Whole {
			maps.DeleteFunc(k.members[id], func(m string, _ bool) bool { return !listed[m] })
		}
	}
}

// state is who is on, and each team's members who are.
func (k *keeper) state() string {
	teams := map[string][]string{}
	for id, name := range k.names {
		teams[name] = []string{}
		for _, m := range slices.Sorted(maps.Keys(k.members[id])) {
			if k.on[m] {
				teams[name] = append(teams[name], m)
			}
		}
	}
	return fmt.Sprint(slices.Sorted(maps.Keys(k.on)), teams)
}

// desired is the same of the org.
func (o *org) desired() string {
	people, teams := []string{}, map[string][]string{}
	for _, p := range o.Desired() {
		people = append(people, p.ObjectID)
	}
	for _, team := range o.DesiredTeams() {
		teams[team.DisplayName] = append([]string{}, team.Members...)
	}
	return fmt.Sprint(people, teams)
}

// TestDeltasKeepUp: deltas alone follow any changes of the org, at any distance, with a filter or without.
func TestDeltasKeepUp(t *testing.T) {
	t.Parallel()
	for seed := range 30 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			o := newOrg(t, 8, 4)
			if seed%3 == 0 {
				o.Inject(idpsim.Fault{Path: "/groups", Query: "filter=", Status: http.StatusBadRequest})
			}
			k := &keeper{on: map[string]bool{}, names: map[string]string{}, members: map[string]map[string]bool{}}
			for round := range 15 {
				got := &deltaSink{users: k.on, groups: map[string]bool{}}
				for g := range k.names {
					got.groups[g] = true
				}
				next, err := o.c.Delta(t.Context(), connectors.Since{Cursor: o.cursor}, got)
				must(t, err)
				o.cursor = next
				k.take(got)
				if have, want := k.state(), o.desired(); have != want {
					t.Fatalf("round %d:\n%s, want\n%s", round, have, want)
				}
				for range rng.IntN(6) {
					o.pass(time.Duration(rng.IntN(100)) * time.Second)
					o.change(rng)
				}
				o.pass(time.Duration(rng.IntN(10)) * time.Minute)
			}
		})
	}
}

// change makes one change of any kind; what can't be changed so is left.
func (o *org) change(rng *rand.Rand) {
	users, groups := o.Users(), o.Groups()
	u, g := users[rng.IntN(len(users))].ID, groups[rng.IntN(len(groups))].ID
	var err error
	switch rng.IntN(14) {
	case 0, 1, 2:
		err = o.AddToGroup(g, u)
	case 3, 4:
		err = o.RemoveFromGroup(g, u)
	case 5, 6:
		err = o.AssignUser(u)
	case 7:
		err = o.UnassignUser(u)
	case 8:
		err = errors.Join(o.Suspend(u), o.RenameGroup(g, fmt.Sprint("Name ", rng.Int())))
	case 9:
		err = o.SetStatus(u, idpsim.OktaActive)
	case 10:
		err = o.AddToGroup(o.team(fmt.Sprint("Team ", rng.Int())), u)
	case 11:
		err = o.UnpushGroup(g)
	case 12:
		err = o.AssignGroup(g)
	case 13:
		if len(users) > 4 {
			err = o.DeleteUser(u)
		}
	}
	_ = err // such as to take an assignment away that isn't there
}
